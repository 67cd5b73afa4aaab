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

    from geoseg.georef import Georef
    from geoseg.vectorize.chain import Chains


def simplify(arcs: Chains, georef: Georef, tolerance: float) -> Chains:
    """Drop vertices of arcs that are close to the straight line without them.

    A closed arc keeps the vertex farthest from its start and, on both ways
    there, the one farthest from the straight line: it never collapses.

    Args:
        arcs: Arcs along pixel sides.
        georef: The map's plane; the sides of its pixels may differ.
        tolerance: How far a line may move, in the side of a square pixel of the
            same area.

    Returns:
        The arcs with some of their vertices.

    """
    t = georef.transform
    step = np.hypot([t.b, t.a], [t.e, t.d])  # a row down, a column to the right
    scale = step / np.sqrt(abs(t.determinant))
    columns, starts = index_vertices(arcs.vertices, georef.height, georef.width)
    keep = straighten(
        arcs.vertices,
        arcs.offsets,
        (columns, starts),
        (scale[0], scale[1], tolerance**2),
    )
    twins = _find_twins(arcs, keep)
    divide(
        arcs.vertices,
        arcs.offsets[np.stack([twins, twins + 1])],
        (columns, starts),
        (scale[0], scale[1], tolerance**2),
        keep,
    )
    kept = np.concatenate([[0], np.cumsum(keep)])
    return arcs._replace(vertices=arcs.vertices[keep], offsets=kept[arcs.offsets])


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
