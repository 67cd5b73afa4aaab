"""What somebody gives as an area of interest: a file, text or shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import AoiError, counted
from geoseg.storage.vectors.read import AREA, VectorLayer, read_layer, split_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geopandas import GeoDataFrame, GeoSeries
    from numpy.typing import NDArray
    from shapely import Geometry


Area: TypeAlias = "Path | str | GeoDataFrame | GeoSeries | Geometry"
"""A vector file of polygons in any CRS, one of its layers (``file.gpkg|layer=name``),
WKT, or a bounding box ``west,south,east,north``; or shapes: a GeoDataFrame or GeoSeries
in any CRS, or a shapely geometry. Text and a bare geometry are in WGS 84; text may name
another CRS before a semicolon (``EPSG:32633;...``)."""

_WGS84 = CRS.from_epsg(4326)
_IN_CRS = re.compile(r"(?:(?P<crs>[^;|]+);)?\s*(?P<text>.*)", re.DOTALL)
_WKT = re.compile(r"(MULTI)?POLYGON\b|GEOMETRYCOLLECTION\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOX = re.compile(rf"{_NUMBER}(\s*,\s*{_NUMBER}){{3}}")
_LONGEST_NAME = 60
_TURN = 360.0
"""Degrees."""


@dataclass(frozen=True, slots=True)
class Given:
    """Shapes as they were given."""

    name: str
    """What to call them in a message."""
    shapes: NDArray[np.object_]
    """The geometries."""
    crs: CRS
    """What their coordinates mean."""
    labels: tuple[str | None, ...] = ()
    """Each shape's value of the field asked for."""


def read_given(area: Area, field: str | None = None) -> Given:
    """Read an area of interest from wherever it is.

    Args:
        area: A file, text or shapes; see `Area`.
        field: A field whose values name the features of a file or frame.

    Raises:
        AoiError: There is no such file, layer or field, or it makes no sense.

    """
    if not isinstance(area, str | Path):
        return _drawn(area, field)
    area = str(area)
    stripped = area.strip()
    parts = _IN_CRS.fullmatch(stripped)
    text = parts["text"] if parts else ""
    is_box, is_wkt = _BOX.fullmatch(text), _WKT.match(text)
    if not (is_box or is_wkt):
        return _read_file(area, field)
    if field is not None:
        raise AoiError(
            f"only features of a file can be named, by {field!r} or another "
            f"field; a bounding box and WKT are one area"
        )
    crs = _crs(parts["crs"]) if parts and parts["crs"] else _WGS84
    shape = _box(text, crs) if is_box else _from_wkt(text)
    called = f"box {text}" if is_box else text
    called = called[:_LONGEST_NAME] + "..." * (len(called) > _LONGEST_NAME)
    if crs != _WGS84:
        called += f" ({crs.to_string()})"
    return Given(called, np.array([shape]), crs)


def described(area: Area) -> str:
    """Say what was given, in a few words where it is no text."""
    if isinstance(area, str | Path):
        return str(area)
    count = f" of {counted(len(area), 'shape')}" if hasattr(area, "__len__") else ""
    return f"a {type(area).__name__}{count}"


def _drawn(area: GeoDataFrame | GeoSeries | Geometry, field: str | None) -> Given:
    """Take shapes that were made in Python."""
    import geopandas  # noqa: PLC0415  # workers read no areas

    name = described(area)
    if isinstance(area, shapely.Geometry):
        shapes, crs = np.array([area], object), _WGS84
    elif isinstance(area, geopandas.GeoDataFrame | geopandas.GeoSeries):
        try:
            shapes, crs = np.asarray(area.geometry, object), area.crs
        except AttributeError as error:
            raise AoiError(f"aoi is {name} without geometries; set_geometry") from error
    else:
        raise AoiError(
            f"aoi is {name}; give a path, WKT, 'west,south,east,north', a shapely "
            f"geometry, a GeoSeries or a GeoDataFrame"
        )
    if crs is None:
        raise AoiError(f"aoi is {name} without a CRS; give it one with set_crs")
    if field is None:
        return Given(name, shapes, CRS(crs))
    if field not in getattr(area, "columns", ()):
        raise AoiError(f"aoi is {name} and has no field {field!r}")
    columns = {field: area[field].to_numpy(object)}
    return Given(name, shapes, CRS(crs), VectorLayer(shapes, crs, columns).texts(field))


def _crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(re.sub(r"^SRID=", "EPSG:", text.strip()))
    except CRSError as error:
        raise AoiError(
            f"{text.strip()!r} is no CRS; give an authority's code, as EPSG:32633"
        ) from error


def _from_wkt(text: str) -> shapely.Geometry:
    try:
        return shapely.from_wkt(text)
    except shapely.errors.GEOSException as error:
        raise AoiError(
            f"the area of interest is no valid WKT ({error}); a polygon begins and "
            f"ends at the same point: POLYGON ((x y, x y, x y, x y))"
        ) from error


def _box(text: str, crs: CRS) -> shapely.Geometry:
    """Draw a bounding box; one that crosses the antimeridian has two parts."""
    west, south, east, north = (float(number) for number in text.split(","))
    if south >= north or west == east:
        raise AoiError(f"the bounding box {text} is empty; give west,south,east,north")
    if not crs.is_geographic:
        if west > east:
            raise AoiError(
                f"the bounding box {text} ends west of where it begins; give "
                f"west,south,east,north"
            )
        return shapely.box(west, south, east, north)
    if max(abs(south), abs(north)) > _TURN / 4 or max(abs(west), abs(east)) > _TURN:
        raise AoiError(
            f"the bounding box {text} is not in degrees; give its CRS, with "
            f"`bbox_crs='EPSG:32633'` or before it, as EPSG:32633;{text}"
        )
    if west < east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon(
        [
            shapely.box(west, south, _TURN / 2, north),
            shapely.box(-_TURN / 2, south, east, north),
        ]
    )


def _after_its_crs(area: str) -> str:
    """Leave the CRS out, which a flag may have put there; all of it where none is."""
    crs, _, text = area.partition(";")
    try:
        _crs(crs)
    except AoiError:
        return area
    return text.strip()


def _read_file(area: str, field: str | None) -> Given:
    path, _ = split_layer(area)
    if ";" in area and not path.exists():
        raise AoiError(
            f"{_after_its_crs(area)!r} is neither a file nor, after its CRS, a "
            f"bounding box (west,south,east,north) or a polygon as WKT"
        )

    def choose(columns: Sequence[str]) -> Sequence[str]:
        if field is None or field in columns:
            return [field] if field else []
        there = ", ".join(columns) or "no fields at all"
        raise AoiError(f"the area of interest {path} has no field {field!r}: {there}")

    found = read_layer(area, AREA, choose)
    return Given(area, found.shapes, found.crs, found.texts(field) if field else ())
