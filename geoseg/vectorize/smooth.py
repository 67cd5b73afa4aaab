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
    from geoseg.vectorize.chain import Chains
    from geoseg.vectorize.rings import Corners


def smooth(
    arcs: Chains, geobox: GeoBox, times: int
) -> tuple[Corners, NDArray[np.int64]]:
    """Cut the corners of arcs.

    Args:
        arcs: Arcs whose vertices are pixel corners.
        geobox: The map's plane.
        times: How often; each time doubles the vertices at most.

    Returns:
        Rows and columns of vertices, shape ``(vertex, 2)``, and where each
        arc's begin.

    """
    vertices, offsets = arcs.vertices, arcs.offsets
    if not times:
        return vertices, offsets
    for turn in range(1, times + 1):
        fine = vertices * np.int32(QUARTERS)
        scale = QUARTERS**turn
        index = index_vertices(fine, geobox.height * scale)
        vertices, offsets = cut_corners(fine, offsets, arcs.following, index)
    return vertices / float(QUARTERS**times), offsets
