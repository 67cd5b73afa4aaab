"""Polygons out of whatever geometries hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.storage.vectors.densify import RingVertices

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AREAL = 2
"""The dimension of what has an area."""


def only_polygons(
    geometry: shapely.Geometry,
) -> shapely.Polygon | shapely.MultiPolygon:
    """Drop the lines and points of a geometry."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    parts = parts[shapely.get_dimensions(parts) == _AREAL]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(list(parts))


def nested(
    polygons: NDArray[np.object_],
) -> tuple[RingVertices, NDArray[np.int64]]:
    """Take polygons and multipolygons, a row each, apart.

    Returns:
        All polygons, and where those of each row begin, and the end of the last.

    """
    kind, points, found = shapely.to_ragged_array(polygons, include_z=False)
    rings, parts, *rows = (each.astype(np.int64) for each in found)
    alone = kind is shapely.GeometryType.POLYGON
    each_row = np.arange(len(polygons) + 1) if alone else rows[0]
    return RingVertices(points, rings, parts), each_row
