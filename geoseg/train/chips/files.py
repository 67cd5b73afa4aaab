"""A chip's files: its pixels and its classes, as GeoTIFFs.

They are made in memory: GDAL says nothing of a disk that is full, and leaves a file
that is cut short.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from geoseg.geo.legend import NODATA
from geoseg.raster.class_names import LEGEND_TAG, legend_to_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend

_COMPRESSED = {"driver": "GTiff", "compress": "DEFLATE", "interleave": "band"}


@dataclass(frozen=True, slots=True)
class ImageProfile:
    """What all images of a scene's chips have in common."""

    bands: tuple[str, ...]
    """Each band's name."""
    dtype: str
    """Of the pixels."""
    nodata: float | None
    """The value without data; None where a mask says what has some."""
    scales: tuple[float, ...]
    """What raw pixels of each band are multiplied by, as the scene declares it."""
    offsets: tuple[float, ...]
    """What is added then."""


def image_file(
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    geobox: GeoBox,
    profile: ImageProfile,
) -> bytes:
    """Make the file of a chip's pixels, as they are in the scene.

    What is no number beside a nodata value becomes that value. Where pixels without
    data are not all of one nodata value, the file has a mask of its own.

    Args:
        pixels: Shape ``(band, y, x)``.
        valid: Where they count, shape ``(y, x)``.
        geobox: The chip's plane.
        profile: Names and units.

    """
    kind = np.dtype(profile.dtype)
    if kind.kind == "f" and profile.nodata is not None and np.isfinite(profile.nodata):
        pixels = np.where(
            np.isfinite(pixels), pixels, pixels.dtype.type(profile.nodata)
        )
    creation = {
        **_profile(geobox, len(pixels), profile.dtype),
        "nodata": profile.nodata,
        "predictor": 3 if kind.kind == "f" else 2,
    }
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as file:
        with file.open(**creation) as dataset:
            dataset.write(pixels)
            dataset.scales, dataset.offsets = profile.scales, profile.offsets
            for band, name in enumerate(profile.bands, start=1):
                dataset.set_band_description(band, name)
            if not valid.all() and not _all_nodata(pixels, valid, profile.nodata):
                dataset.write_mask(valid)
        return bytes(file.getbuffer())


def mask_file(classes: NDArray[np.uint8], geobox: GeoBox, legend: Legend) -> bytes:
    """Make the file of a chip's class ids, ``(y, x)``, with colours and names."""
    creation = {**_profile(geobox, 1, "uint8"), "nodata": NODATA}
    with MemoryFile() as file:
        with file.open(**creation) as dataset:
            dataset.write(classes, 1)
            dataset.write_colormap(1, legend.colormap())
            dataset.update_tags(**{LEGEND_TAG: legend_to_json(legend)})
            dataset.set_band_description(1, "class")
        return bytes(file.getbuffer())


def _all_nodata(
    pixels: NDArray[np.generic], valid: NDArray[np.bool_], nodata: float | None
) -> bool:
    """Whether a nodata value alone says where there is no data."""
    if nodata is None:
        return False
    missing = np.isnan(pixels) if np.isnan(nodata) else pixels == nodata
    return bool((missing.any(axis=0) == ~valid).all())


def _profile(geobox: GeoBox, count: int, dtype: str) -> dict[str, object]:
    return {
        **_COMPRESSED,
        "height": geobox.height,
        "width": geobox.width,
        "count": count,
        "dtype": dtype,
        "crs": _crs(geobox.crs.to_wkt()),
        "transform": geobox.transform,
        "blockysize": geobox.height,  # one strip a band: a chip is read whole
    }


@functools.cache
def _crs(wkt: str) -> CRS:
    return CRS.from_wkt(wkt)
