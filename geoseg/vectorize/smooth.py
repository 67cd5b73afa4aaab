"""Arcs with their corners cut, each once, so that neighbours stay neighbours.

Chaikin's way: a corner gives way to two points, a quarter of the way to each
neighbour, again and again. Here a corner stays where the triangle that is cut
off is not `clear`, so that lines never cross. Ends stay where they are.

Places are whole numbers, four times finer each time: quarters are exact.
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

_QUARTERS = 4


def smooth(
    arcs: Chains, georef: Georef, times: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut the corners of arcs.

    Args:
        arcs: Arcs whose vertices are pixel corners.
        georef: The map's plane.
        times: How often; each time doubles the vertices at most.

    Returns:
        Rows and columns of vertices, shape ``(vertex, 2)``, and where each
        arc's begin.

    """
    vertices, offsets = arcs.vertices, arcs.offsets
    for turn in range(1, times + 1):
        fine = vertices * np.int32(_QUARTERS)
        scale = _QUARTERS**turn
        index = index_vertices(fine, georef.height * scale, georef.width * scale)
        vertices, offsets = _cut_corners(fine, offsets, arcs.following, index)
    return vertices / float(_QUARTERS**times), offsets


@kernel
def _cut_corners(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    following: NDArray[np.int32],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Cut every corner once; coordinates must be multiples of four.

    A loop that meets no other arc has a corner at its start too.
    """
    columns, starts = index
    out = np.empty((2 * len(vertices), 2), np.int32)
    ends = np.zeros_like(offsets)
    corner = np.empty((3, 2), np.int32)
    end = 0
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1] - 1
        free = following[2 * arc] == 2 * arc and following[2 * arc + 1] == 2 * arc + 1
        if not free:
            _copy(vertices, first, out, end)
            end += 1
        for k in range(first if free else first + 1, last):
            before = last - 1 if k == first else k - 1
            for axis in range(2):
                place = vertices[k, axis]
                corner[0, axis] = place + (vertices[before, axis] - place) // _QUARTERS
                corner[1, axis] = place
                corner[2, axis] = place + (vertices[k + 1, axis] - place) // _QUARTERS
            if is_clear(corner, columns, starts):
                _copy(corner, 0, out, end)
                _copy(corner, 2, out, end + 1)
                end += 2
            else:
                _copy(vertices, k, out, end)
                end += 1
        if free:
            _copy(out, ends[arc], out, end)
        else:
            _copy(vertices, last, out, end)
        end += 1
        ends[arc + 1] = end
    return out[:end].copy(), ends


@kernel
def _copy(a: NDArray[np.int32], i: int, b: NDArray[np.int32], k: int) -> None:
    """Copy row and column of vertex ``i`` of ``a`` to ``k`` of ``b``."""
    b[k, 0], b[k, 1] = a[i, 0], a[i, 1]
