"""Arcs straightened, each once, so that neighbours stay neighbours.

Douglas and Peucker's way: a stretch becomes the straight line between its ends
if no vertex is farther from it than the tolerance; else it is divided at the
farthest. Here it is also divided where the way is not `clear`, so that lines
never cross and nothing changes sides. Ends stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.vectorize.clear import ENDS, divide, index_vertices, straighten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.vectorize.chain import Chains
    from geoseg.vectorize.drawing import Drawing


def simplify(arcs: Chains, geobox: GeoBox, drawing: Drawing) -> Chains:
    """Drop vertices of arcs that are close to the straight line without them.

    A closed arc keeps the vertex farthest from its start and, on both ways
    there, the one farthest from the straight line: it never collapses.

    Args:
        arcs: Arcs along pixel sides.
        geobox: The map's plane; the sides of its pixels may differ.
        drawing: How far a line may move: in metres on the ground, or in the side of
            a square pixel of the same area.

    Returns:
        The arcs with some of their vertices.

    """
    measures = _measures(arcs, geobox, drawing)
    columns, starts = index_vertices(arcs.vertices, geobox.height)
    keep = straighten(
        arcs.vertices,
        arcs.offsets,
        (columns, starts),
        measures,
    )
    twins = _find_twins(arcs, keep)
    divide(
        arcs.vertices,
        arcs.offsets[np.stack([twins, twins + 1])],
        (columns, starts),
        measures[twins],
        keep,
    )
    del columns, starts, measures
    offsets = np.zeros_like(arcs.offsets)
    if len(keep):
        kept = np.add.reduceat(keep, arcs.offsets[:-1], dtype=np.int64)
        np.cumsum(kept, out=offsets[1:])
    return arcs._replace(vertices=arcs.vertices[keep], offsets=offsets)


def _measures(arcs: Chains, geobox: GeoBox, drawing: Drawing) -> NDArray[np.float64]:
    """Give each arc the lengths of a row and of a column, and the squared tolerance.

    On the ground they are those at the arc's middle vertex, so that a line is moved as
    far in the north of a map as in its south.
    """
    measures = np.empty((len(arcs.offsets) - 1, 3))
    if drawing.tolerance_m:
        middles = arcs.vertices[(arcs.offsets[:-1] + arcs.offsets[1:]) // 2]
        rows, cols = middles.T.astype(np.float64)
        measures[:, 1], measures[:, 0] = geobox.ground_field().steps(cols, rows)
        measures[:, 2] = drawing.tolerance_m**2
    else:
        t = geobox.transform
        steps = np.hypot([t.b, t.a], [t.e, t.d])  # a row down, a column to the right
        measures[:, :2] = steps / np.sqrt(abs(t.determinant))
        measures[:, 2] = drawing.tolerance**2
    return measures


def _find_twins(arcs: Chains, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find arcs with vertices to spare that became the same straight line."""
    if not len(keep):
        return np.empty(0, np.int64)
    starts, lasts = arcs.offsets[:-1], arcs.offsets[1:] - 1
    straight = np.flatnonzero(np.add.reduceat(keep, starts, dtype=np.int64) == ENDS)
    corners = arcs.vertices.view(np.int64)[:, 0]  # row and column as one number
    first, last = corners[starts[straight]], corners[lasts[straight]]
    order = np.lexsort((last, first))
    repeats = (np.diff(first[order]) == 0) & (np.diff(last[order]) == 0)
    twin = np.zeros(len(order), np.bool_)
    twin[order[1:]] |= repeats
    twin[order[:-1]] |= repeats
    spare = np.diff(arcs.offsets)[straight] > ENDS
    return straight[twin & spare]
