"""Rings: half-edges chained around each region, and polygons made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray

    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.chain import Chains


Corners: TypeAlias = "NDArray[np.int32] | NDArray[np.float64]"
"""Rows and columns of vertices: pixel corners, or between them when smoothed."""


class Rings(NamedTuple):
    """The rings of all regions: region after region, the shell before its holes.

    A ring begins at the junction that is first (row, then column), or where
    its loop begins. Holes are in the order of these corners; of two that touch
    there, the one that leaves eastwards or southwards first.
    """

    halves: NDArray[np.int32]
    """The half-edges of each ring, ring after ring."""
    offsets: NDArray[np.int64]
    """Where each ring's half-edges begin, and the end: shape ``(ring + 1,)``."""
    polygons: NDArray[np.int64]
    """Where each region's rings begin, and the end: shape ``(region + 1,)``."""

    def of(self, regions: NDArray[np.int64]) -> Rings:
        """Take the rings of some regions, in the order in which these are given."""
        rings, polygons = _take(self.polygons, regions)
        halves, offsets = _take(self.offsets, rings)
        return Rings(self.halves[halves], offsets, polygons)


class Drawn(NamedTuple):
    """Polygons in (x, y)."""

    points: NDArray[np.float64]
    """Those of all rings, the first of each at its end again: ``(vertex, 2)``."""
    rings: NDArray[np.int64]
    """Where each ring's begin, and the end: shape ``(ring + 1,)``."""
    polygons: NDArray[np.int64]
    """Where each polygon's rings begin, and the end: shape ``(polygon + 1,)``."""


def assemble(arcs: Chains, regions: int, arrays: Arrays) -> Rings:
    """Chain half-edges into rings, and sort the rings by region.

    Args:
        arcs: The arcs of a map.
        regions: The number of its regions: the highest face.
        arrays: Makes what grows with the map.

    """
    seen = arrays.zeros(len(arcs.faces), np.bool_)
    found = arrays.zeros(len(arcs.faces), np.int32)
    count = _find_rings(*arcs, seen, found)
    del seen
    polygons = arrays.zeros(regions + 1, np.int64)
    firsts = arrays.zeros(count, np.int32)
    places = arrays.zeros(regions + 1, np.int64)
    _group(found[:count], arcs.faces, polygons, places, firsts)
    del places, found
    _sort(arcs.vertices, arcs.offsets, firsts, polygons)
    offsets = arrays.zeros(count + 1, np.int64)
    halves = arrays.zeros(_measure(arcs.following, firsts, offsets), np.int32)
    _walk(arcs.following, firsts, halves)
    return Rings(halves, offsets, polygons)


def draw(
    rings: Rings,
    vertices: Corners,
    offsets: NDArray[np.int64],
    transform: Affine,
) -> Drawn:
    """Draw every region as a polygon.

    Args:
        rings: The rings of the regions.
        vertices: Row and column of each vertex, shape ``(vertex, 2)``.
        offsets: Where each arc's vertices begin, shape ``(arc + 1,)``.
        transform: From (column, row) to (x, y).

    Returns:
        A polygon a region: shells run counterclockwise in (x, y) and holes clockwise.

    """
    ends = _sum_up(_ring_lengths(rings.halves, rings.offsets, offsets))
    coordinates = _transformed(
        rings.halves,
        rings.offsets,
        (vertices, offsets, ends),
        tuple(transform)[:6],
        mirrored=transform.determinant > 0,
    )
    return Drawn(coordinates, ends, rings.polygons)


@kernel
def rows_within(
    rings: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]],
    lines: NDArray[np.int64],
    regions: NDArray[np.int64],
    counts: NDArray[np.int64],
    most: int,
) -> int:
    """Count the rows, one at least, whose polygons have so many vertices at most.

    Args:
        rings: Where each region's rings begin, where each ring's half-edges begin, and
            these.
        lines: Where each arc's vertices begin.
        regions: The regions of some rows, row after row.
        counts: How many of them each row has.
        most: How many vertices they may have.

    """
    polygons, offsets, halves = rings
    vertices = at = 0
    for row in range(len(counts)):
        for region in regions[at : at + counts[row]]:
            first, stop = offsets[polygons[region]], offsets[polygons[region + 1]]
            for half in halves[first:stop]:
                arc = half >> 1
                vertices += lines[arc + 1] - lines[arc] - 1
        if vertices > most and row > 0:
            return row
        at += counts[row]
    return len(counts)


def _take(
    offsets: NDArray[np.int64], owners: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the places of what some owners have, and where each one's begin now."""
    firsts = offsets[owners]
    counts = offsets[owners + 1] - firsts
    ends = _sum_up(counts)
    return np.arange(ends[-1]) + np.repeat(firsts - ends[:-1], counts), ends


def bounds_of(vertices: Corners, transform: Affine) -> NDArray[np.float64]:
    """Give left, bottom, right and top of vertices, placed as `draw` does it."""
    return _bounds(vertices, tuple(transform)[:6])


def _sum_up(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn counts into offsets: 0, then the sums."""
    sums = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=sums[1:])
    return sums


@kernel
def _find_rings(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    faces: NDArray[np.int32],
    following: NDArray[np.int32],
    seen: NDArray[np.bool_],
    found: NDArray[np.int32],
) -> int:
    """Walk every ring once.

    Args:
        vertices: Those of arcs.
        offsets: Where each arc's begin.
        faces: The region on the left of each half-edge.
        following: The half-edge that follows each one.
        seen: False for each half-edge; changed.
        found: Filled with the half-edge at which each ring begins, and of a hole with
            what is below zero as far as that is above.

    Returns:
        The number of rings.

    """
    count = 0
    for candidate in range(len(faces)):
        if seen[candidate] or faces[candidate] == 0:
            continue
        first = _first_half(vertices, offsets, following, candidate)
        area = 0
        half = first
        while not seen[half]:
            seen[half] = True
            area += _twice_area(vertices, offsets, half)
            half = following[half]
        # Rows run down: a shell turns the negative way.
        found[count] = ~first if area > 0 else first
        count += 1
    return count


@kernel
def _half(found: np.int32) -> int:
    """Give the half-edge at which a ring begins."""
    return int(~found if found < 0 else found)


@kernel
def _group(
    found: NDArray[np.int32],
    faces: NDArray[np.int32],
    polygons: NDArray[np.int64],
    places: NDArray[np.int64],
    grouped: NDArray[np.int32],
) -> None:
    """Put the rings of each region together; the last three are filled."""
    for ring in found:
        polygons[faces[_half(ring)]] += 1
    for region in range(1, len(polygons)):
        polygons[region] += polygons[region - 1]
        places[region] = polygons[region]
    for ring in found:
        region = faces[_half(ring)] - 1
        grouped[places[region]] = ring
        places[region] += 1


@kernel
def _sort(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    rings: NDArray[np.int32],
    polygons: NDArray[np.int64],
) -> None:
    """Sort the rings of each region: the shell, then holes by where they begin."""
    for region in range(len(polygons) - 1):
        first, stop = polygons[region], polygons[region + 1]
        if stop - first == 1:
            continue
        own = rings[first:stop].copy()
        keys = np.empty(len(own), np.int64)
        for k in range(len(own)):
            row, then = _departure(vertices, offsets, _half(own[k]))
            keys[k] = (np.int64(own[k] < 0) << 62) | (np.int64(row) << 33) | then
        order = np.argsort(keys)
        for k in range(len(own)):
            rings[first + k] = own[order[k]]


@kernel
def _measure(
    following: NDArray[np.int32],
    rings: NDArray[np.int32],
    offsets: NDArray[np.int64],
) -> int:
    """Count the half-edges of each ring, which fills ``offsets``, and of all."""
    for ring in range(len(rings)):
        first = half = _half(rings[ring])
        count = 1
        while following[half] != first:
            half = following[half]
            count += 1
        offsets[ring + 1] = offsets[ring] + count
    return int(offsets[len(rings)])


@kernel
def _walk(
    following: NDArray[np.int32], rings: NDArray[np.int32], halves: NDArray[np.int32]
) -> None:
    """Write the half-edges of every ring."""
    end = 0
    for ring in rings:
        first = half = _half(ring)
        while True:
            halves[end] = half
            end += 1
            half = following[half]
            if half == first:
                break


@kernel
def _start(offsets: NDArray[np.int64], half: int) -> int:
    """Give the index of a half-edge's first vertex."""
    arc = half >> 1
    return int(offsets[arc + 1] - 1 if half & 1 else offsets[arc])


@kernel
def _departure(
    vertices: NDArray[np.int32], offsets: NDArray[np.int64], half: int
) -> tuple[int, int]:
    """Give the row of a half-edge's first vertex, and its column and heading."""
    first = _start(offsets, half)
    second = first - 1 if half & 1 else first + 1
    down = vertices[second, 0] - vertices[first, 0]
    right = vertices[second, 1] - vertices[first, 1]
    heading = 0 if right > 0 else 1 if down > 0 else 2 if right < 0 else 3
    return vertices[first, 0], 4 * vertices[first, 1] + heading


@kernel
def _first_half(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    following: NDArray[np.int32],
    half: int,
) -> int:
    """Find the half-edge of a ring whose first corner is first."""
    first, best = half, _start(offsets, half)
    other = following[half]
    while other != half:
        vertex = _start(offsets, other)
        if vertices[vertex, 0] < vertices[best, 0] or (
            vertices[vertex, 0] == vertices[best, 0]
            and vertices[vertex, 1] < vertices[best, 1]
        ):
            first, best = other, vertex
        other = following[other]
    return first


@kernel
def _twice_area(
    vertices: NDArray[np.int32], offsets: NDArray[np.int64], half: int
) -> int:
    """Sum a half-edge's share of twice its ring's signed area, in pixels."""
    arc = half >> 1
    area = np.int64(0)
    for k in range(offsets[arc], offsets[arc + 1] - 1):
        row, col = np.int64(vertices[k, 0]), np.int64(vertices[k, 1])
        area += col * vertices[k + 1, 0] - vertices[k + 1, 1] * row
    return int(-area if half & 1 else area)


@kernel
def _ring_lengths(
    halves: NDArray[np.int32],
    rings: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count the vertices of each ring, the closing one too."""
    lengths = np.ones(len(rings) - 1, np.int64)
    for ring in range(len(lengths)):
        for k in range(rings[ring], rings[ring + 1]):
            arc = halves[k] >> 1
            lengths[ring] += offsets[arc + 1] - offsets[arc] - 1
    return lengths


@kernel
def _transformed(
    halves: NDArray[np.int32],
    rings: NDArray[np.int64],
    lines: tuple[Corners, NDArray[np.int64], NDArray[np.int64]],
    transform: tuple[float, float, float, float, float, float],
    mirrored: bool,  # noqa: FBT001 - numba's compiled functions take no keywords only
) -> NDArray[np.float64]:
    """Write the (x, y) of every ring's vertices, closed, ring after ring.

    Args:
        halves: The half-edges of each ring.
        rings: Where each ring's half-edges begin.
        lines: Row and column of vertices; where each arc's begin; where each
            ring's coordinates go.
        transform: The six numbers that locate (column, row).
        mirrored: Whether left in the raster is right on the ground: then rings
            are written backwards.

    """
    vertices, offsets, ends = lines
    a, b, c, d, e, f = transform
    located = np.empty((ends[-1], 2), np.float64)
    for ring in range(len(rings) - 1):
        position = ends[ring + 1] - 1 if mirrored else ends[ring]
        onward = -1 if mirrored else 1
        last = 0
        for k in range(rings[ring], rings[ring + 1]):
            arc = halves[k] >> 1
            first, last, step = offsets[arc], offsets[arc + 1] - 1, 1
            if halves[k] & 1:
                first, last, step = last, first, -1
            while first != last:
                row, col = vertices[first, 0], vertices[first, 1]
                located[position, 0] = col * a + row * b + c
                located[position, 1] = col * d + row * e + f
                position += onward
                first += step
        row, col = vertices[last, 0], vertices[last, 1]
        located[position, 0] = col * a + row * b + c
        located[position, 1] = col * d + row * e + f
    return located


@kernel
def _bounds(
    vertices: Corners, transform: tuple[float, float, float, float, float, float]
) -> NDArray[np.float64]:
    """Find the least and the greatest x and y of vertices."""
    a, b, c, d, e, f = transform
    found = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for k in range(len(vertices)):
        row, col = vertices[k, 0], vertices[k, 1]
        x, y = col * a + row * b + c, col * d + row * e + f
        found[0], found[1] = min(found[0], x), min(found[1], y)
        found[2], found[3] = max(found[2], x), max(found[3], y)
    return found
