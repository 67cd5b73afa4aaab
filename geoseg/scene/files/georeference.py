"""Where a file's pixels are on Earth: as its header says, or why that is too little."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import SceneError
from geoseg.geo.embeddings import recognise
from geoseg.geo.geobox import GeoBox
from geoseg.scene.files.header import shown

if TYPE_CHECKING:
    from geoseg.scene.files.header import Header


def georef_of(
    header: Header, assume_crs: str | None = None, *, can_assume: bool = True
) -> GeoBox:
    """Give a file's plane on Earth, or refuse one that has none.

    Args:
        header: The file's.
        assume_crs: The CRS of a file that names none.
        can_assume: Whether whoever named the file could have given one.

    Raises:
        SceneError: It is nowhere on Earth, or names a CRS that makes no sense.

    """
    name = shown(header.path)
    if header.transform == _IDENTITY:
        problem = _UNLOCATED[header.located_by]
        if recognise([band.name for band in header.bands]) and not header.located_by:
            problem += _PUBLISHED_VRT
        raise SceneError(f"{name} {problem}")
    if not all(map(math.isfinite, header.transform)):
        raise SceneError(
            f"{name} has a geotransform that holds no finite numbers; give it one "
            f"on Earth, for instance with gdal_translate -a_ullr"
        )
    if not header.wkt and assume_crs is None:
        raise SceneError(
            f"{name} has no coordinate reference system; assign one, for instance: "
            f"rio edit-info --crs EPSG:32633 {name}"
            + ", or say it with `assume_crs`"
            * can_assume
        )
    if header.wkt:
        try:
            crs = _crs_of(header.wkt)
        except CRSError as error:
            raise SceneError(
                f"{name} names a coordinate reference system that makes no sense; "
                f"assign it anew, for instance: rio edit-info --crs EPSG:32633 {name}"
            ) from error
    else:
        crs = parse_crs(str(assume_crs), "`assume_crs`")
    return GeoBox(header.height, header.width, Affine(*header.transform), crs)


_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of a file that has none."""
_UNLOCATED = {
    "": (
        "has no geotransform, so its pixels are nowhere on Earth; give it one, for "
        "instance with gdal_translate -a_ullr"
    ),
    "points": (
        "is located by ground control points only; rectify it first, for instance with "
        "gdalwarp"
    ),
    "rpc": (
        "is located by rational polynomials (RPC) only; rectify it first with a "
        "terrain model, for instance with gdalwarp -rpc -to RPC_DEM=dem.tif"
    ),
}
"""What is said of a file without a geotransform, by what locates it instead."""
_PUBLISHED_VRT = (
    "; copies of AlphaEarth that are stored from south to north have a .vrt beside "
    "each file that locates it: give that"
)
"""What is added of such a file of learned features."""


@lru_cache(maxsize=64)
def _crs_of(wkt: str) -> CRS:
    """Make a CRS once: ten thousand files share it, and comparing it costs nothing."""
    return CRS.from_wkt(wkt)


def parse_crs(text: str, flag: str) -> CRS:
    """Read a CRS as a user writes it.

    Raises:
        SceneError: It is none; the message names the flag.

    """
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError(
            f"{flag} is no coordinate reference system: {text!r}; write one such as "
            f"EPSG:32633, or a file's WKT"
        ) from error
    return crs.to_2d()
