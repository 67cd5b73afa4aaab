"""Polygons cut to an area's exact outline, not to the pixels in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.storage.vectors.polygons import only_polygons
from geoseg.vectorize.measure import measure

if TYPE_CHECKING:
    import geopandas as gpd


def clip(frame: gpd.GeoDataFrame, area: shapely.Geometry) -> gpd.GeoDataFrame:
    """Cut polygons to an area.

    Args:
        frame: What `geoseg.vectorize.polygons.polygons` gives.
        area: A valid polygon or multipolygon in the polygons' CRS.

    Returns:
        The rows of which something is left, in their order, the index counted
        anew. ``area_m2`` and ``perimeter_m`` are of what is left;
        ``pixel_count`` and ``mean_confidence`` are of the whole region still.

    """
    shapely.prepare(area)
    polygons = frame.geometry.to_numpy()
    crossing = shapely.intersects(area, polygons)
    kept = shapely.contains_properly(area, polygons)
    crossing &= ~kept
    pieces = shapely.intersection(polygons[crossing], area)
    polygons = polygons.copy()
    polygons[crossing] = [only_polygons(piece) for piece in pieces]
    kept |= crossing & ~shapely.is_empty(polygons)
    clipped = frame.set_geometry(polygons, crs=frame.crs)
    cut = np.flatnonzero(crossing)
    measured = measure(polygons[cut], frame.crs)
    for column, values in zip(("area_m2", "perimeter_m"), measured, strict=True):
        clipped.iloc[cut, clipped.columns.get_loc(column)] = values
    return clipped[kept].reset_index(drop=True)
