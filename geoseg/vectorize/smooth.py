"""Arcs with their corners cut, each once, so that neighbours stay neighbours.

Chaikin's way: a corner gives way to two points, a quarter of the way to each
neighbour, again and again. Here a corner stays where the triangle that is cut
off is not `clear`, so that lines never cross. Ends stay where they are.

Coordinates are whole numbers, four times finer each time: quarters are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.vectorize.clear import QUARTERS, cut_corners, index_vertices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.chain import Chains
    from geoseg.vectorize.rings import Corners


def smooth(
    arcs: Chains, geobox: GeoBox, times: int, arrays: Arrays
) -> tuple[Corners, NDArray[np.int64]]:
    """Cut the corners of arcs.

    Args:
        arcs: Arcs whose vertices are pixel corners.
        geobox: The map's plane.
        times: How often; each time doubles the vertices at most.
        arrays: Makes what grows with the map.

    Returns:
        Rows and columns of vertices, shape ``(vertex, 2)``, and where each
        arc's begin.

    """
    vertices, offsets = arcs.vertices, arcs.offsets
    if not times:
        return vertices, offsets
    for turn in range(1, times + 1):
        fine = arrays.zeros(vertices.shape, np.int32)
        np.multiply(vertices, np.int32(QUARTERS), out=fine)
        columns = arrays.zeros(len(fine), np.int32)
        starts = index_vertices(fine, geobox.height * QUARTERS**turn, columns)
        cut = arrays.zeros((2 * len(fine), 2), np.int32)
        ends = arrays.zeros(len(offsets), np.int64)
        cut_corners(fine, offsets, arcs.following, (columns, starts), (cut, ends))
        vertices, offsets = cut[: ends[-1]], ends
    smoothed = arrays.zeros(vertices.shape, np.float64)
    np.divide(vertices, float(QUARTERS**times), out=smoothed)
    return smoothed, offsets
