"""Polygons as RFC 7946 wants them: in degrees of WGS 84, with seven decimals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj.exceptions import ProjError

from geoseg.errors import VectorError
from geoseg.storage.vectors.crossings import find_doubtful
from geoseg.storage.vectors.densify import SideLimits, bend
from geoseg.storage.vectors.formats import DECIMALS
from geoseg.storage.vectors.globe import on_globe, rounded
from geoseg.storage.vectors.polygons import nested, only_polygons
from geoseg.storage.vectors.to_lonlat import WGS84, Way

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

_NOWHERE = (
    "some polygons lie where their CRS cannot be brought to longitude and latitude; "
    "GeoJSON has nothing else, so write another format"
)


@dataclass(frozen=True, slots=True)
class ToLonlat:
    """What brings polygons of a map to longitude and latitude, rounded and valid.

    A side that is straight in the CRS gets vertices until it is straight between them
    in degrees, to a fiftieth of a pixel; the same ones in both of its neighbours. What
    crosses the antimeridian becomes parts that meet there, and what lies around a pole
    is closed along it. Rounded polygons that would cross themselves are repaired.
    """

    way: Way
    """From the map's CRS to degrees."""
    reach: SideLimits
    """Which of the map's sides are short enough to stay as they are."""

    @classmethod
    def of(cls, crs: CRS, bounds: NDArray[np.float64], pixel: float) -> ToLonlat:
        """Prepare for the polygons of a map, some rows of which are brought at a time.

        Args:
            crs: Their CRS.
            bounds: Left, bottom, right and top of all of them.
            pixel: The side of a pixel in units of the CRS.

        Raises:
            VectorError: There is no way from their CRS to degrees.

        """
        try:
            way = Way.of(crs, pixel, bounds)
        except ProjError as error:
            raise VectorError(f"{_NOWHERE} ({error})") from error
        return cls(way, SideLimits.over(bounds, way))

    def __call__(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Bring rows of the frame to degrees.

        Raises:
            VectorError: A polygon is so small that rounding leaves nothing of it,
                or lies where WGS 84 has no coordinates for it.

        """
        polygons = frame.geometry.to_numpy()
        return frame.set_geometry(self.polygons(polygons), crs=WGS84)

    def polygons(self, polygons: NDArray[np.object_]) -> NDArray[np.object_]:
        """Bring polygons and multipolygons to degrees; raises as the call does."""
        given, rows = nested(polygons)
        shapes = bend(given, self.way, self.reach)
        lonlat = self.way.lonlat(shapes.points)
        if not np.isfinite(lonlat).all():
            raise VectorError(_NOWHERE)
        lonlat = rounded(lonlat)
        whole = np.rint(lonlat * 10.0**DECIMALS)
        of_rows = shapes.polygons[rows]
        doubtful = find_doubtful(shapes.points, whole, shapes.rings, of_rows)
        del whole  # of the largest polygon each array is large
        try:
            found, odd = on_globe(shapes, lonlat, self.way)
        except shapely.errors.GEOSException as error:
            raise VectorError(
                f"a polygon cannot be drawn in longitude and latitude ({error}); write "
                f"another format than GeoJSON"
            ) from error
        lost = np.flatnonzero(shapely.is_empty(found))
        if len(lost):
            own = slice(*shapes.rings[shapes.polygons[lost[0] : lost[0] + 2]])
            raise _too_small(shapes.points[own].min(axis=0))
        del shapes, lonlat
        owner = np.repeat(np.arange(len(polygons)), np.diff(rows))
        doubtful[owner[odd]] = True
        return _mend(_regroup(found, owner, polygons), np.flatnonzero(doubtful))


def _regroup(
    found: NDArray[np.object_],
    owner: NDArray[np.intp],
    polygons: NDArray[np.object_],
) -> NDArray[np.object_]:
    """Make multipolygons of what were some, and of what has been cut."""
    if len(found) == len(polygons):
        return found
    pieces, whole = shapely.get_parts(found, return_index=True)
    gathered: NDArray[np.object_] = shapely.multipolygons(pieces, indices=owner[whole])
    single = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    gathered[single] = found[single[owner]]
    return gathered


def _mend(
    polygons: NDArray[np.object_], doubtful: NDArray[np.intp]
) -> NDArray[np.object_]:
    """Repair what rounding has broken, of those of which it is not sure."""
    broken = doubtful[~shapely.is_valid(polygons[doubtful])]
    polygons[broken] = [_repair(polygon) for polygon in polygons[broken]]
    return polygons


def _repair(polygon: shapely.Polygon) -> shapely.Polygon | shapely.MultiPolygon:
    """Make a rounded polygon valid on the grid of what can be written."""
    repaired = shapely.set_precision(shapely.make_valid(polygon), 10.0**-DECIMALS)
    repaired = only_polygons(
        shapely.transform(repaired, lambda points: np.round(points, DECIMALS))
    )
    if repaired.is_empty or not repaired.is_valid:
        raise _too_small(np.array(polygon.bounds[:2]))
    return repaired


def _too_small(corner: NDArray[np.float64]) -> VectorError:
    return VectorError(
        f"a polygon at {tuple(corner.tolist())} is smaller than GeoJSON's "
        f"{DECIMALS} decimals can hold; write another format"
    )
