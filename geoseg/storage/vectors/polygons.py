"""Polygons out of whatever geometries hold them."""

from __future__ import annotations

import shapely

_AREAL = 2
"""The dimension of what has an area."""


def only_polygons(
    geometry: shapely.Geometry,
) -> shapely.Polygon | shapely.MultiPolygon:
    """Drop the lines and points of a geometry."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    parts = parts[shapely.get_dimensions(parts) == _AREAL]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(list(parts))
