"""Arcs straightened, each once, so that neighbours stay neighbours.

Douglas and Peucker's way: a stretch becomes the straight line between its ends
if no vertex is farther from it than the tolerance; else it is divided at the
farthest. Here it is also divided where the way is not `clear`, so that lines
never cross and nothing changes sides. Ends stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.vectorize.clear import index_vertices, is_clear
from geoseg.vectorize.kernel import kernel

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
    keep = _choose(
        arcs.vertices,
        arcs.offsets,
        (columns, starts),
        (scale[0], scale[1], tolerance**2),
    )
    twins = _find_twins(arcs, keep)
    _divide(
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
    straight = np.flatnonzero(np.add.reduceat(keep, starts, dtype=np.int64) == _ENDS)
    ends = np.hstack([arcs.vertices[starts[straight]], arcs.vertices[lasts[straight]]])
    order = np.lexsort(ends.T)
    repeats = np.all(ends[order[1:]] == ends[order[:-1]], axis=1)
    twin = np.zeros(len(order), np.bool_)
    twin[order[1:]] |= repeats
    twin[order[:-1]] |= repeats
    spare = np.diff(arcs.offsets)[straight] > _ENDS
    return straight[twin & spare]


_ENDS = 2
"""The vertices of a straight line."""


@kernel
def _choose(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Choose the vertices that each arc keeps.

    Args:
        vertices: Rows and columns of vertices.
        offsets: Where each arc's begin.
        index: What `index_vertices` gives.
        measure: The length of a step down and of one to the right, and the
            square of the tolerance.

    """
    keep = np.zeros(len(vertices), np.bool_)
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1] - 1
        keep[first] = keep[last] = True
        if (
            vertices[first, 0] == vertices[last, 0]
            and vertices[first, 1] == vertices[last, 1]
        ):
            _pin_loop(vertices, (first, last), index, measure, keep)
        else:
            _straighten(vertices, (first, last), index, measure, keep)
    return keep


@kernel
def _pin_loop(
    vertices: NDArray[np.int32],
    stretch: tuple[int, int],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
    keep: NDArray[np.bool_],
) -> None:
    """Straighten a closed arc between up to four vertices that it keeps."""
    first, last = stretch
    far, _ = _find_farthest(vertices, first, last, measure)
    for start, stop in ((first, far), (far, last)):
        keep[far] = True
        middle, distance = _find_farthest(vertices, start, stop, measure)
        if distance > 0:
            keep[middle] = True
            _straighten(vertices, (start, middle), index, measure, keep)
            _straighten(vertices, (middle, stop), index, measure, keep)


@kernel
def _divide(
    vertices: NDArray[np.int32],
    stretches: NDArray[np.int64],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
    keep: NDArray[np.bool_],
) -> None:
    """Divide arcs at their farthest vertices, and straighten both parts.

    Args:
        vertices: Rows and columns of vertices.
        stretches: First vertices of the arcs and those after the last ones.
        index: What `index_vertices` gives.
        measure: As for `_choose`.
        keep: True for the vertices that are kept; changed.

    """
    for arc in range(stretches.shape[1]):
        first, last = stretches[0, arc], stretches[1, arc] - 1
        far, _ = _find_farthest(vertices, first, last, measure)
        keep[far] = True
        _straighten(vertices, (first, far), index, measure, keep)
        _straighten(vertices, (far, last), index, measure, keep)


@kernel
def _straighten(
    vertices: NDArray[np.int32],
    stretch: tuple[int, int],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
    keep: NDArray[np.bool_],
) -> None:
    """Mark the vertices that a stretch between two kept ones must keep too."""
    columns, starts = index
    waiting = [stretch]
    while waiting:
        first, last = waiting.pop()
        if last - first < _ENDS:
            continue
        far, distance = _find_farthest(vertices, first, last, measure)
        if distance <= measure[2] and is_clear(
            vertices[first : last + 1], columns, starts
        ):
            continue
        keep[far] = True
        waiting.append((first, far))
        waiting.append((far, last))


@kernel
def _find_farthest(
    vertices: NDArray[np.int32],
    first: int,
    last: int,
    measure: tuple[float, float, float],
) -> tuple[int, float]:
    """Find the vertex farthest from the chord, and its squared distance.

    The first of several; where the ends are one point, the farthest from it.
    """
    down, right, _ = measure
    y, x = vertices[first, 0] * down, vertices[first, 1] * right
    along_y = vertices[last, 0] * down - y
    along_x = vertices[last, 1] * right - x
    length = along_y**2 + along_x**2
    farthest, most = first, 0.0
    for k in range(first + 1, last):
        dy, dx = vertices[k, 0] * down - y, vertices[k, 1] * right - x
        share = 0.0
        if length > 0:
            share = min(max((dy * along_y + dx * along_x) / length, 0.0), 1.0)
        distance = (dy - share * along_y) ** 2 + (dx - share * along_x) ** 2
        if distance > most:
            farthest, most = k, distance
    return farthest, most
