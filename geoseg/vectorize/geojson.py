"""Polygons as RFC 7946 wants them: in degrees of WGS 84, with seven decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.errors import VectorError
from geoseg.vectorize.clip import only_polygons

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

DECIMALS = 7
"""Decimals of a degree: about a centimetre."""

_HALF_TURN = 180.0
_NOWHERE = (
    "some polygons lie where their CRS cannot be brought to longitude and latitude; "
    "GeoJSON has nothing else, so write another format"
)


def to_lonlat(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Bring polygons to longitude and latitude, rounded and still valid.

    Only vertices are moved; a side is straight between them in degrees. Rounded
    polygons that would cross themselves are repaired. One that crosses the
    antimeridian becomes two parts that meet there.

    Raises:
        VectorError: A polygon is so small that rounding leaves nothing of it,
            or lies where WGS 84 has no coordinates for it.

    """
    try:
        frame = frame.to_crs("EPSG:4326")
    except RuntimeError as error:  # PROJ's: there is no way from one to the other
        raise VectorError(f"{_NOWHERE} ({error})") from error
    polygons = frame.geometry.to_numpy()
    if not np.isfinite(shapely.get_coordinates(polygons)).all():
        raise VectorError(_NOWHERE)
    polygons = _cut_at_antimeridian(polygons)
    return frame.set_geometry(_round(polygons), crs=frame.crs)


def _cut_at_antimeridian(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Cut what spans more than half the globe, for it goes the other way round."""
    west, _, east, _ = shapely.bounds(polygons).T
    crossing = np.flatnonzero(east - west > _HALF_TURN)
    if not crossing.size:
        return polygons
    polygons = polygons.copy()
    polygons[crossing] = [_cut_one(polygon) for polygon in polygons[crossing]]
    return polygons


def _cut_one(polygon: shapely.Polygon) -> shapely.MultiPolygon:
    """Cut a polygon whose longitudes jump between -180 and 180."""
    unrolled = shapely.transform(polygon, _unroll)
    halves = [
        shapely.intersection(unrolled, shapely.box(0, -90, _HALF_TURN, 90)),
        shapely.transform(
            shapely.intersection(
                unrolled, shapely.box(_HALF_TURN, -90, 2 * _HALF_TURN, 90)
            ),
            lambda points: points - [2 * _HALF_TURN, 0],
        ),
    ]
    return only_polygons(shapely.union_all(halves))


def _unroll(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count western longitudes on past 180 degrees."""
    east, north = points.T
    return np.stack([np.where(east < 0, east + 2 * _HALF_TURN, east), north], axis=1)


def _round(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Round coordinates, and repair what rounding has broken."""
    polygons = shapely.transform(
        polygons, lambda points: np.round(points, DECIMALS) + 0.0
    )
    broken = np.flatnonzero(~shapely.is_valid(polygons))
    polygons[broken] = [_repair(polygon) for polygon in polygons[broken]]
    return polygons


def _repair(polygon: shapely.Polygon) -> shapely.Polygon | shapely.MultiPolygon:
    """Make a rounded polygon valid on the grid of what can be written."""
    repaired = shapely.set_precision(shapely.make_valid(polygon), 10.0**-DECIMALS)
    repaired = only_polygons(
        shapely.transform(repaired, lambda points: np.round(points, DECIMALS))
    )
    if repaired.is_empty or not repaired.is_valid:
        raise VectorError(
            f"a polygon at {polygon.bounds[:2]} is smaller than GeoJSON's "
            f"{DECIMALS} decimals can hold; write another format"
        )
    return repaired
