"""Areas of interest from what somebody gives: one for all of it, or one a feature."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS

from geoseg.errors import AoiError, counted
from geoseg.overlay.aoi.area import Aoi, footprint, window_of
from geoseg.overlay.aoi.given import Area, Given, read_given
from geoseg.overlay.aoi.reproject import on_plane, reprojected, united
from geoseg.storage.folder_names import folded, folder_name

if TYPE_CHECKING:
    from shapely import Geometry

    from geoseg.geo.geobox import GeoBox
_NEGLIGIBLE = 0.0005
"""A smaller share of the area may lie outside the scene without a warning."""
_LONLAT = CRS.from_epsg(4326)
_HALF_TURN = 180
"""Degrees."""
_UNSAFE = re.compile(r"[^\w .()+-]|^\.+")
"""What is no part of a folder's name that is made of a feature's."""


def read_aoi(area: Area, geobox: GeoBox) -> Aoi:
    """Read what somebody gives as one area on a scene.

    Any format and CRS that GDAL knows; GeoJSON without a CRS is WGS 84, as its
    standard says. Edges are densified before they are reprojected. Overlapping
    polygons are united; points and lines are left out with a warning.

    Args:
        area: A vector file, one of its layers, WKT, a bounding box or shapes.
        geobox: The scene's plane.

    Returns:
        The area, in the scene's CRS.

    Raises:
        AoiError: The file is missing, no vector file, or has no usable
            polygon, no CRS, or none that overlaps the scene.

    """
    return _on_scene(read_given(area), geobox)


def read_features(area: Area, field: str, geobox: GeoBox) -> dict[str, Aoi]:
    """Read each feature of a vector file as an area of its own on a scene.

    Features of one name are one area. Those that are not on the scene are left out,
    and the warnings of the first area say so.

    Args:
        area: A vector file, one of its layers, or a GeoDataFrame.
        field: The field with the features' names.
        geobox: The scene's plane.

    Returns:
        The areas by their names, which a folder can have.

    Raises:
        AoiError: There is no such field, a feature has no name, two names differ in
            characters only that no folder can have, or no feature is on the scene.

    """
    given = read_given(area, field)
    areas: dict[str, Aoi] = {}
    missed: dict[str, AoiError] = {}
    for label, shapes in _by_label(given, field).items():
        part = Given(f"{given.name} ({label})", shapes, given.crs)
        try:
            areas[label] = _on_scene(part, geobox)
        except AoiError as error:
            missed[label] = error
    if not areas:
        raise next(iter(missed.values()), AoiError(f"{given.name} has no feature"))
    if missed:
        first = next(iter(areas))
        left_out = tuple(f"left out {label}: {why}" for label, why in missed.items())
        areas[first] = areas[first].with_warnings(left_out)
    return areas


def read_lonlat(area: Area) -> Geometry:
    """Read what somebody gives as one area in WGS 84, longitude first.

    Args:
        area: As `read_aoi` takes it.

    Raises:
        AoiError: There is no polygon, or none that can be used.

    """
    given = read_given(area)
    shape, _ = united(given.name, given.shapes)
    if given.crs == _LONLAT:
        return shape
    return reprojected(shape, given.crs, _LONLAT)


def _on_scene(given: Given, geobox: GeoBox) -> Aoi:
    name = given.name
    area, warnings = united(name, given.shapes)
    west, _, east, _ = area.bounds
    if given.crs.is_geographic and _HALF_TURN < east - west < 2 * _HALF_TURN:
        warnings.append(
            f"{name}: the area spans {east - west:.0f} degrees; if it is to cross the "
            f"antimeridian, cut it there, as GeoJSON's standard (RFC 7946) says"
        )
    area = on_plane(geobox, name, area, given.crs)
    window = window_of(area, geobox)
    if window is None:
        raise AoiError(
            f"no pixel of the scene has its centre in the area {name}; "
            f"draw an area larger than a pixel ({geobox.gsd_m():.3g} m)"
        )
    outside = 1 - area.intersection(footprint(geobox)).area / area.area
    if outside > _NEGLIGIBLE:
        warnings.append(f"{name}: {outside:.1%} of the area lies outside the scene")
    return Aoi(area, geobox, window, tuple(warnings))


def _by_label(given: Given, field: str) -> dict[str, np.ndarray]:
    """Gather the shapes of each name, in the order in which names come."""
    nameless = sum(label is None for label in given.labels)
    if nameless:
        raise AoiError(
            f"{given.name}: {counted(nameless, 'feature')} of {len(given.labels)} "
            f"without {field!r}; each needs one to name its map"
        )
    labels = np.array(given.labels, object)
    folders: dict[str, str] = {}
    taken: dict[str, str] = {}
    for label in dict.fromkeys(given.labels):
        folder = folder_name(_UNSAFE.sub("_", str(label)))
        twin = taken.setdefault(folded(folder), folder)
        if twin in folders:
            where = "" if twin == folder else " on Windows and macOS"
            raise AoiError(
                f"{given.name}: {folders[twin]!r} and {label!r} would share the "
                f"folder {folder!r}{where}; rename one"
            )
        folders[folder] = str(label)
    return {folder: given.shapes[labels == label] for folder, label in folders.items()}
