"""What to say of a file that is no raster: GDAL lacks its format, or it holds many.

Which formats GDAL reads depends on how it was built. The one in rasterio's wheels has
no drivers that need somebody's licence, and some others are missing as well.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import rasterio

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRIVERS = {
    ".jp2": "JP2OpenJPEG",
    ".j2k": "JP2OpenJPEG",
    ".nc": "netCDF",
    ".zarr": "Zarr",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".he5": "HDF5",
    ".hdf": "HDF4",
    ".ecw": "ECW",
    ".sid": "MrSID",
    ".kea": "KEA",
    ".jxl": "JPEGXL",
    ".heic": "HEIF",
    ".avif": "AVIF",
    ".grib": "GRIB",
    ".grib2": "GRIB",
    ".grb": "GRIB",
    ".grb2": "GRIB",
    ".fits": "FITS",
    ".tdb": "TileDB",
}
"""The driver of GDAL for formats that a build of it may lack, by how names end."""
_NAMED = 4
"""Parts of a file that a message names."""


def lacking(name: str) -> str | None:
    """Say that GDAL here lacks the driver of a format; None where it has it.

    Args:
        name: A file's name; what it ends in is the format.

    Example:
        >>> lacking("scene.tif")

    """
    driver = _DRIVERS.get(PurePosixPath(name).suffix.lower())
    if driver is None:
        return None
    with rasterio.Env() as env:
        if driver in env.drivers():
            return None
    return (
        f"{name} wants GDAL's driver {driver}, which rasterio's GDAL "
        f"{rasterio.__gdal_version__} here lacks; convert it to GeoTIFF with a GDAL "
        f"that has it, or install rasterio on top of that one"
    )


def choose_part(name: str, parts: Sequence[str]) -> str:
    """Say that a file is no raster, but holds some.

    Args:
        name: The file.
        parts: What GDAL calls the rasters in it.

    """
    if not parts:
        return f"{name} holds no raster; give a file with bands"
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return (
        f"{name} holds {len(parts)} rasters: {', '.join(parts[:_NAMED])}{more}; name "
        f"the one to read, or several as bands: `bands=red='{parts[0]}'`"
    )
