"""Arcs straightened, each once, so that neighbours stay neighbours.

Douglas and Peucker's way: a stretch becomes the straight line between its ends
if no vertex is farther from it than the tolerance; else it is divided at the
farthest. Here it is also divided where the way is not `clear`, so that lines
never cross and nothing changes sides. Ends stay where they are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.vectorize.blocks import in_threads
from geoseg.vectorize.clear import ENDS, divide, index_vertices, straighten

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.ground import GroundField
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.chain import Chains
    from geoseg.vectorize.drawing import Drawing


_ARCS = 1 << 16
"""Arcs that are straightened at once, by a thread."""


def simplify(arcs: Chains, geobox: GeoBox, drawing: Drawing, arrays: Arrays) -> Chains:
    """Drop vertices of arcs that are close to the straight line without them.

    A closed arc keeps the vertex farthest from its start and, on both ways
    there, the one farthest from the straight line: it never collapses.

    Args:
        arcs: Arcs along pixel sides.
        geobox: The map's plane; the sides of its pixels may differ.
        drawing: How far a line may move: in metres on the ground, or in the side of
            a square pixel of the same area.
        arrays: Makes what grows with the map.

    Returns:
        The arcs with some of their vertices.

    """
    vertices, offsets = arcs.vertices, arcs.offsets
    columns = arrays.zeros(len(vertices), np.int32)
    index = columns, index_vertices(vertices, geobox.height, columns)
    keep = arrays.zeros(len(vertices), np.bool_)
    field = geobox.ground_field() if drawing.tolerance_m else None
    measured = partial(_measures, arcs, geobox, field, drawing)
    _straighten_all(arcs, index, measured, keep)
    twins = _find_twins(arcs, keep, geobox, arrays)
    divide(
        vertices,
        offsets[np.stack([twins, twins + 1])],
        index,
        measured(twins),
        keep,
    )
    del columns, index
    kept = arrays.zeros((int(np.count_nonzero(keep)), 2), np.int32)
    ends = arrays.zeros(len(offsets), np.int64)
    _keep(vertices, offsets, keep, kept, ends)
    return arcs._replace(vertices=kept, offsets=ends)


def _straighten_all(
    arcs: Chains,
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measured: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    keep: NDArray[np.bool_],
) -> None:
    """Straighten every arc, some at a time in a few threads.

    An arc keeps what it keeps whatever becomes of the others.
    """
    offsets = arcs.offsets
    count = len(offsets) - 1

    def straighten_from(first: int) -> None:
        some = slice(first, first + _ARCS + 1)
        measures = measured(np.arange(first, min(first + _ARCS, count)))
        straighten(arcs.vertices, offsets[some], index, measures, keep)

    for _ in in_threads(straighten_from, range(0, count, _ARCS)):
        pass


def _measures(
    arcs: Chains,
    geobox: GeoBox,
    field: GroundField | None,
    drawing: Drawing,
    some: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Give some arcs the lengths of a row and of a column, and the squared tolerance.

    On the ground they are those at the arc's middle vertex, so that a line is moved as
    far in the north of a map as in its south.
    """
    measures = np.empty((len(some), 3))
    if field is not None:
        middles = arcs.vertices[(arcs.offsets[some] + arcs.offsets[some + 1]) // 2]
        rows, cols = middles.T.astype(np.float64)
        measures[:, 1], measures[:, 0] = field.steps(cols, rows)
        measures[:, 2] = drawing.tolerance_m**2
    else:
        t = geobox.transform
        steps = np.hypot([t.b, t.a], [t.e, t.d])  # a row down, a column to the right
        measures[:, :2] = steps / np.sqrt(abs(t.determinant))
        measures[:, 2] = drawing.tolerance**2
    return measures


def _find_twins(
    arcs: Chains, keep: NDArray[np.bool_], geobox: GeoBox, arrays: Arrays
) -> NDArray[np.int64]:
    """Find arcs with vertices to spare that became the same straight line."""
    count = len(arcs.offsets) - 1
    starts = np.zeros(geobox.height + 2, np.int64)
    straight = arrays.zeros(count, np.bool_)
    _count_straight(arcs.vertices, arcs.offsets, keep, straight, starts)
    by_row = arrays.zeros(int(starts[-1]), np.int64)
    twin = arrays.zeros(count, np.bool_)
    _mark_twins(arcs.vertices, arcs.offsets, straight, starts, by_row, twin)
    return np.flatnonzero(twin)


@kernel
def _count_straight(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    keep: NDArray[np.bool_],
    straight: NDArray[np.bool_],
    starts: NDArray[np.int64],
) -> None:
    """Mark the arcs that keep their ends alone; add up where each row's begin."""
    for arc in range(len(straight)):
        kept = 0
        for k in range(offsets[arc], offsets[arc + 1]):
            kept += keep[k]
        straight[arc] = kept == ENDS
        if straight[arc]:
            starts[vertices[offsets[arc], 0] + 1] += 1
    for row in range(len(starts) - 1):
        starts[row + 1] += starts[row]


@kernel
def _mark_twins(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    straight: NDArray[np.bool_],
    starts: NDArray[np.int64],
    by_row: NDArray[np.int64],
    twin: NDArray[np.bool_],
) -> None:
    """Mark straight arcs with the same ends, of those with vertices to spare.

    An arc begins at the end that comes first, so that twins begin at the same corner,
    with two more arcs at most: they are sorted by its row and its column.
    """
    places = starts.copy()
    for arc in range(len(straight)):
        if straight[arc]:
            row = vertices[offsets[arc], 0]
            by_row[places[row]] = arc
            places[row] += 1
    for row in range(len(starts) - 1):
        own = by_row[starts[row] : starts[row + 1]]
        columns = np.empty(len(own), np.int32)
        for k in range(len(own)):
            columns[k] = vertices[offsets[own[k]], 1]
        order = np.argsort(columns)
        for k in range(1, len(own)):
            one, i = own[order[k]], offsets[own[order[k]] + 1] - 1
            before = k - 1
            while before >= 0 and columns[order[before]] == columns[order[k]]:
                other = own[order[before]]
                j = offsets[other + 1] - 1
                if (
                    vertices[i, 0] == vertices[j, 0]
                    and vertices[i, 1] == vertices[j, 1]
                ):
                    twin[one] = offsets[one + 1] - offsets[one] > ENDS
                    twin[other] = offsets[other + 1] - offsets[other] > ENDS
                before -= 1


@kernel
def _keep(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    keep: NDArray[np.bool_],
    kept: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> None:
    """Write the vertices that are kept, and where each arc's begin."""
    end = 0
    for arc in range(len(offsets) - 1):
        for k in range(offsets[arc], offsets[arc + 1]):
            if keep[k]:
                kept[end, 0], kept[end, 1] = vertices[k, 0], vertices[k, 1]
                end += 1
        ends[arc + 1] = end
