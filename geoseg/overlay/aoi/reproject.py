"""An area brought onto a scene: repaired, united, and in the scene's CRS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely.affinity import translate

from geoseg.errors import AoiError, counted
from geoseg.geo.geobox import Bounds, GeoBox, reproject_bounds
from geoseg.overlay.aoi.area import footprint
from geoseg.overlay.coverage import NO_POLYGONS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import Geometry

_WGS84 = CRS.from_epsg(4326)

_PIECES = 100
"""An edge as long as the area's largest part is cut into this many before it is
reprojected, since a straight line in one CRS is bent in another."""

_NEARBY = 10
"""What of an area is farther from the scene than this many of its sides does not
matter to it."""

_TURN = 360.0
"""Degrees."""


def united(name: str, shapes: NDArray[np.object_]) -> tuple[Geometry, list[str]]:
    """Unite all polygons; repair those that are invalid.

    Returns:
        The area, and what was repaired or left out, a sentence each.

    Raises:
        AoiError: There is no polygon, or none that can be used.

    """
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    parts = _parts(shapes)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not len(polygons):
        raise AoiError(f"the area of interest {name} has no polygon")
    if not np.isfinite(shapely.get_coordinates(polygons)).all():
        raise AoiError(
            f"the area of interest {name} has a coordinate that is no finite number; "
            f"draw it again"
        )

    warnings = []
    if len(parts) > len(polygons):
        out = len(parts) - len(polygons)
        warnings.append(f"{name}: left out {counted(out, *NO_POLYGONS)}")
    invalid = ~shapely.is_valid(polygons)
    if invalid.any():
        reason = shapely.is_valid_reason(polygons[invalid][0])
        warnings.append(f"{name}: repaired {invalid.sum()} invalid polygons ({reason})")
    area = only_polygons(shapely.union_all(shapely.make_valid(polygons)))
    if area.is_empty:
        raise AoiError(
            f"the polygons of the area of interest {name} are invalid and enclose "
            f"no area ({shapely.is_valid_reason(polygons[0])}); draw them again"
        )
    return area, warnings


def _parts(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Take collections apart, and what is in them."""
    return np.asarray(shapely.get_parts(shapely.get_parts(shapes)))


def only_polygons(geometry: Geometry) -> Geometry:
    """Drop the points and lines that a repair or a cut may leave."""
    parts = _parts(np.array([geometry]))
    kinds = shapely.get_type_id(parts)
    return shapely.union_all(parts[kinds == shapely.GeometryType.POLYGON])


def on_plane(geobox: GeoBox, name: str, area: Geometry, crs: CRS) -> Geometry:
    """Bring an area into the scene's CRS.

    Raises:
        AoiError: It is not on the scene.

    """
    found = (
        area
        if crs == geobox.crs
        else reprojected(_nearby(area, crs, geobox), crs, geobox.crs)
    )
    if geobox.crs.is_geographic:
        found = _turned_onto(geobox, found)
    finite = np.isfinite(shapely.get_coordinates(found)).all()
    if finite and shapely.intersects(found, footprint(geobox)):
        return found

    extent = Bounds(*area.bounds)
    raise AoiError(
        f"the area of interest {name} does not overlap the scene: in WGS 84 degrees "
        f"(left, bottom, right, top) it covers {reproject_bounds(extent, crs, _WGS84)} "
        f"and the scene {geobox.lonlat_bounds()}; in their own CRS it covers {extent} "
        f"({crs.name}) and the scene {geobox.bounds} ({geobox.crs.name})"
        f"{suspicion(extent, crs)}"
    )


def _turned_onto(geobox: GeoBox, area: Geometry) -> Geometry:
    """Give the parts of an area whole turns, so that they lie where the scene does.

    Longitudes of a scene across the antimeridian go on beyond 180 degrees.
    """
    scene = footprint(geobox)
    turned = (translate(area, turn) for turn in (-_TURN, 0, _TURN))
    there = [copy for copy in turned if shapely.intersects(copy, scene)]
    return shapely.union_all(there) if there else area


def suspicion(extent: Bounds, crs: CRS) -> str:
    """Say where coordinates look like degrees called metres, or the reverse."""
    lons, lats = (extent.left, extent.right), (extent.bottom, extent.top)
    on_earth = max(map(abs, lons)) <= _TURN and max(map(abs, lats)) <= _TURN / 4
    if crs.is_geographic == on_earth:
        return ""
    look, crs_meant = (
        ("look like degrees", "as EPSG:4326")
        if on_earth
        else ("are no degrees", "with the CRS in which it was drawn")
    )
    return (
        f"; its coordinates {look}, so its CRS may be wrong: if so, save it again "
        f"{crs_meant}"
    )


def _nearby(area: Geometry, crs: CRS, geobox: GeoBox) -> Geometry:
    """Cut off what of a vast area is far from the scene, where CRSs have no answer."""
    near = reproject_bounds(geobox.bounds, geobox.crs, crs)
    edges = np.array([near.left, near.bottom, near.right, near.top])
    if not np.isfinite(edges).all() or near.left > near.right:
        return area
    reach = _NEARBY * max(near.right - near.left, near.top - near.bottom)
    frame = shapely.box(*(edges + np.array([-reach, -reach, reach, reach])))
    if frame.contains(area) or not frame.intersects(area):
        return area
    return only_polygons(area.intersection(frame))


def reprojected(area: Geometry, source: CRS, target: CRS) -> Geometry:
    """Move an area to another CRS; infinite where that cannot express it."""
    left, bottom, right, top = shapely.bounds(shapely.get_parts(area)).T
    longest = float(np.maximum(right - left, top - bottom).max())
    dense = shapely.segmentize(area, longest / _PIECES)
    move = Transformer.from_crs(source, target, always_xy=True).transform
    moved = shapely.transform(dense, move, interleaved=False)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        return moved
    return only_polygons(shapely.make_valid(moved))
