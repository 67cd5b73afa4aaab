"""Vertices for sides that are straight in a CRS and bent in degrees.

A side gets vertices in its middle, again and again, until the straight lines between
them in longitude and latitude run within a fiftieth of a pixel of it. Which it gets
depends on its ends alone, not on who asks or in what direction: the neighbours on both
sides of an arc get the same ones, and fit together as before.

Short sides need none, and few are long: `SideLimits` find them without a question
to PROJ for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geoseg.storage.vectors.to_lonlat import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.storage.vectors.to_lonlat import Way

_MOST_ERROR = 0.02
"""How far, in pixels, a line in degrees may run from the side that it is for. Not a
tenth, which nobody would see: all sides of a row are bent the same way, and it would
show in areas."""
_MOST_TURN = 45.0
"""Degrees of longitude that half a side may pass: what is less is never mistaken for
the way round the other side of the globe."""
_SHORT = 0.1
"""A side of so many pixels, or fewer, is bent by nothing but a pole beside it."""
_CELLS = 32
"""Cells of a reach along the longer side of a map."""
_CAUTION = 2.0
"""How much more than measured a side is taken to bend, before it is asked."""
_WHERE = np.array([0.25, 0.5, 0.75])
"""Where along a side its error is measured."""
_DEEPEST = 60
"""Halvings after which no side is left that is longer than a point."""
_BESIDE = 1e-3
"""How far beside a side, in pixels, another runs that is bent as it is."""
_ON_THE_LINE = 1e-6
"""How far from a side, in pixels, a pole may lie to be on it."""


class RingVertices(NamedTuple):
    """Polygons as arrays: the vertices of their rings, ring after ring."""

    points: NDArray[np.float64]
    """(x, y) of each vertex, the first again as the last: ``(vertex, 2)``."""
    rings: NDArray[np.int64]
    """Where each ring's vertices begin, and the end: ``(ring + 1,)``."""
    polygons: NDArray[np.int64]
    """Where each polygon's rings begin, and the end: ``(polygon + 1,)``."""

    def firsts(self) -> NDArray[np.int64]:
        """Give the vertex that begins each side; the next one ends it."""
        begins = np.ones(len(self.points), bool)
        begins[self.rings[1:] - 1] = False
        return np.flatnonzero(begins)


@dataclass(frozen=True, slots=True)
class SideLimits:
    """How long sides may be, in each cell of a map, that surely need no vertices."""

    origin: NDArray[np.float64]
    """The (x, y) where the cells begin."""
    cell: float
    """The side of a cell."""
    longest: NDArray[np.float64]
    """Units of the CRS, shape ``(row, column)``; rows go up."""

    @classmethod
    def over(cls, bounds: NDArray[np.float64], way: Way) -> SideLimits:
        """Measure how sides bend over a map: left, bottom, right, top.

        No figure says more of a cell than its neighbours do, and none allows a side
        that is longer than a cell; beside a pole there is no figure.
        """
        size = bounds[2:] - bounds[:2]
        cell = float(size.max()) / _CELLS
        columns, rows = np.maximum(np.ceil(size / cell).astype(int), 1)
        xs, ys = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        centres = bounds[:2] + cell * np.stack([xs.ravel(), ys.ravel()], axis=1)
        longest = np.full(len(centres), cell)
        for direction in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7)):
            half = np.array(direction) * cell / 2
            error, angle = _bends(centres - half, centres + half, way)
            with np.errstate(divide="ignore", invalid="ignore"):
                by_error = cell * np.sqrt(_MOST_ERROR / (_CAUTION * error))
                by_angle = cell * _MOST_TURN / (_CAUTION * angle)
            longest = np.minimum(longest, np.minimum(by_error, by_angle))
        for pole in way.poles:
            longest[np.abs(centres - pole).max(axis=1) < 1.5 * cell] = 0
        longest = np.nan_to_num(longest, nan=0.0).reshape(rows, columns)
        return cls(bounds[:2], cell, _least_around(longest))

    def may_bend(
        self, starts: NDArray[np.float64], ends: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Give the indices of sides that may need vertices."""
        length = np.hypot(*(ends - starts).T)
        found = np.flatnonzero(length > self.longest.min())
        middles = (starts[found] + ends[found]) / 2
        cells = ((middles - self.origin) / self.cell).astype(int)
        col, row = np.clip(cells, 0, np.array(self.longest.shape)[::-1] - 1).T
        return np.asarray(found[length[found] > self.longest[row, col]])


def bend(shapes: RingVertices, way: Way, reach: SideLimits) -> RingVertices:
    """Give sides the vertices with which they are where they were, in degrees.

    Args:
        shapes: Polygons in the CRS.
        way: From the CRS to degrees.
        reach: Which sides need none; of the whole map, whatever part `shapes` are.

    Returns:
        The polygons; a pole on a side has become a vertex, one on all but a vertex
        is that vertex.

    """
    if way.x_degree is not None:
        return shapes  # from degrees to degrees nothing bends
    points = way.snap_to_poles(shapes.points)
    firsts = shapes.firsts()
    long = firsts[reach.may_bend(points[firsts], points[firsts + 1])]
    if not long.size:
        return shapes._replace(points=points)
    sides, added = _divide(points[long], points[long + 1], way)
    positions = long[sides] + 1  # before the vertex that ends the side
    before = np.cumsum(np.bincount(positions, minlength=len(points) + 1))
    return shapes._replace(
        points=np.insert(points, positions, added, axis=0),
        rings=shapes.rings + np.concatenate([[0], before])[shapes.rings],
    )


class _Stretches(NamedTuple):
    """Stretches of sides."""

    side: NDArray[np.intp]
    """The side of each."""
    begin: NDArray[np.float64]
    """Where along its side it begins, from 0 to 1."""
    end: NDArray[np.float64]
    """Where it ends."""
    a: NDArray[np.float64]
    """(x, y) of its beginning."""
    b: NDArray[np.float64]
    """(x, y) of its end."""

    def take(self, which: NDArray[np.bool_]) -> _Stretches:
        """Take some of them."""
        side, begin, end, a, b = self
        return _Stretches(side[which], begin[which], end[which], a[which], b[which])

    def cut(
        self, along: NDArray[np.float64], points: NDArray[np.float64]
    ) -> _Stretches:
        """Cut each in two at a point along its side, which is at (x, y)."""
        first = self._replace(end=along, b=points)
        second = self._replace(begin=along, a=points)
        return first.with_others(second)

    def with_others(self, others: _Stretches) -> _Stretches:
        """Put others after these."""
        pairs = zip(self, others, strict=True)
        return _Stretches(*(np.concatenate(pair) for pair in pairs))


def _divide(
    starts: NDArray[np.float64], ends: NDArray[np.float64], way: Way
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the vertices that sides need.

    Returns:
        The side of each vertex, in order, and its (x, y), from start to end.

    """
    turned = (starts[:, 0] > ends[:, 0]) | (
        (starts[:, 0] == ends[:, 0]) & (starts[:, 1] > ends[:, 1])
    )
    a = np.where(turned[:, None], ends, starts)
    b = np.where(turned[:, None], starts, ends)
    work = _Stretches(np.arange(len(a)), np.zeros(len(a)), np.ones(len(a)), a, b)
    work, found = _cut_at_poles(work, way)
    for _ in range(_DEEPEST):
        error, angle = _bends(work.a, work.b, way)
        length = np.hypot(*(work.b - work.a).T)
        bent = (error > _MOST_ERROR) & (length > _SHORT * way.pixel)
        work = work.take(bent | (angle > _MOST_TURN))
        if not len(work.side):
            break
        along, points = (work.begin + work.end) / 2, (work.a + work.b) / 2
        found.append((work.side, along, points))
        work = work.cut(along, points)
    side, along, added = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((np.where(turned[side], -along, along), side))
    return side[order], added[order]


def _cut_at_poles(
    work: _Stretches, way: Way
) -> tuple[_Stretches, list[tuple[NDArray[Any], ...]]]:
    """Cut sides at the poles that lie on them.

    Returns:
        The stretches, and of each new vertex the side, how far along and (x, y).

    """
    found: list[tuple[NDArray[Any], ...]] = [
        (work.side[:0], work.begin[:0], work.a[:0])
    ]
    for pole in way.poles:
        along, to = work.b - work.a, pole - work.a
        square = (along**2).sum(axis=1)
        share = (along * to).sum(axis=1) / square
        off = np.abs(_cross(along, to)) / np.sqrt(square)
        hit = (off < _ON_THE_LINE * way.pixel) & (share > 0) & (share < 1)
        hit &= ~way.at_pole(work.a) & ~way.at_pole(work.b)
        through = work.take(hit)
        points = np.broadcast_to(pole, through.a.shape)
        found.append((through.side, share[hit], points))
        work = work.take(~hit).with_others(through.cut(share[hit], points))
    return work, found


def _bends(
    a: NDArray[np.float64], b: NDArray[np.float64], way: Way
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how far sides are from the straight lines in degrees between their ends.

    A side on the edge of a map of the world may seem to be on the opposite edge, or
    half on each; that of two sides beside it one does not.

    Returns:
        The error in pixels, seen from the CRS: infinite where there is no way back, 0
        where there is none at all; and the greater of the turns of longitude that the
        halves of a side make, in degrees.

    """
    error, angle = _errors(a, b, way)
    bent = np.flatnonzero(error > _MOST_ERROR)
    if bent.size:
        a, b = a[bent], b[bent]
        along = (b - a) / np.hypot(*(b - a).T)[:, None]
        beside = along[:, ::-1] * (-way.pixel * _BESIDE, way.pixel * _BESIDE)
        for move in (beside, -beside):
            error[bent] = np.minimum(error[bent], _errors(a + move, b + move, way)[0])
    return error, angle


def _errors(
    a: NDArray[np.float64], b: NDArray[np.float64], way: Way
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure what `_bends` does, of sides that lie on no edge of the world."""
    start, middle, end = way.lonlat(a), way.lonlat((a + b) / 2), way.lonlat(b)
    # A line to a pole runs along a meridian.
    start[:, 0] = np.where(way.at_pole(a), end[:, 0], start[:, 0])
    end[:, 0] = np.where(way.at_pole(b), start[:, 0], end[:, 0])
    with np.errstate(invalid="ignore"):
        halves = np.stack([turn(middle - start)[:, 0], turn(end - middle)[:, 0]])
        step = end - start
        step[:, 0] = halves.sum(axis=0)
        # Beyond the edge of the world the way back leads to the opposite edge.
        from_a, side = way.back(start), way.back(end) - way.back(start)
        off = [_cross(side, way.back(start + u * step) - from_a) for u in _WHERE]
        error = np.abs(off).max(axis=0) / np.hypot(*side.T) / way.pixel
    error = np.where(np.isfinite(error), error, np.inf)
    on_earth = np.isfinite(start + end).all(axis=1)
    return np.where(on_earth, error, 0), np.abs(halves).max(axis=0)


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the area between two vectors of each row."""
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])


def _least_around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each cell the least of its own value and its neighbours'."""
    rows, columns = values.shape
    padded = np.pad(values, 1, mode="edge")
    shifted = [
        padded[row : row + rows, col : col + columns]
        for row in range(3)
        for col in range(3)
    ]
    return np.asarray(np.min(shifted, axis=0))
