"""Polygons out of whatever geometries hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely

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


class Nested(NamedTuple):
    """Polygons and multipolygons as arrays, ring after ring."""

    points: NDArray[np.float64]
    """Vertices, of each ring the first again as the last: ``(vertex, 2)``."""
    rings: NDArray[np.int64]
    """Where the vertices of each ring begin, and the end of the last."""
    parts: NDArray[np.int64]
    """The same of the rings of each polygon."""
    rows: NDArray[np.int64]
    """The same of the polygons of each row."""


def nested(polygons: NDArray[np.object_]) -> Nested:
    """Take polygons and multipolygons, a row each, apart."""
    kind, points, found = shapely.to_ragged_array(polygons, include_z=False)
    offsets = [each.astype(np.int64) for each in found]
    if kind is shapely.GeometryType.POLYGON:
        offsets.append(np.arange(len(polygons) + 1))
    return Nested(points, *offsets)
