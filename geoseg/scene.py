"""The door for reading: a raster as one image, pixels and a valid mask."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import SceneError
from geoseg.georef import Georef

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.grid import Window


_COARSE = 256
"""An overview has at least so many pixels a side to be of use."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A raster to be read window by window.

    It holds no open file: GDAL's handles can be shared neither between threads
    nor between processes, and a `Scene` is sent to both. Each read opens the
    file anew, about a millisecond for a GeoTIFF beside a block of megapixels.
    """

    path: Path
    """The raster's file."""
    georef: Georef
    """The raster's pixel plane."""
    bands: tuple[str, ...]
    """Each band's name as the file gives it; an empty string where it has none."""
    dtype: str
    """The pixels' numpy dtype, the same for all bands."""
    nodata: float | None
    """The value that means "no data"; None where the file declares none, or declares
    NaN, which is never valid."""

    def coarse_valid(self, bands: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Read the valid mask of the whole scene from an overview, shape (y, x).

        A pixel of an overview stands for many of the scene, so what it says of
        small areas is an estimate. None where the scene has no overviews.
        """
        indexes = [band + 1 for band in bands]
        with rasterio.open(self.path) as dataset:
            size = _coarsest(dataset)
            if size is None:
                return None
            shape = (len(indexes), *size)
            masks = dataset.read_masks(indexes, out_shape=shape)
            valid: NDArray[np.bool_] = masks.all(axis=0)
            return valid

    def check(self) -> None:
        """Prove that this process sees the same raster.

        Raises:
            SceneError: It cannot be opened here, or is another one.

        """
        if open_scene(self.path) != self:
            raise SceneError(f"{self.path} is not the raster that the run began with")

    def read(
        self, window: Window, bands: tuple[int, ...]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read the pixels of a window that lies inside the scene.

        Args:
            window: What to read, in pixels of the scene.
            bands: Which bands, counted from 0, in the order wanted.

        Returns:
            Pixels in the scene's dtype, shape ``(band, y, x)``, and the valid
            mask, shape ``(y, x)``: True where every band read has data (not
            nodata, not masked, not NaN or infinite).

        Raises:
            SceneError: The file cannot be read there, for instance because it
                is damaged; the message names file and window.

        """
        part = RasterioWindow(window.col, window.row, window.width, window.height)
        indexes = [band + 1 for band in bands]
        try:
            with rasterio.open(self.path) as dataset:
                pixels = dataset.read(indexes, window=part)
                valid = _valid(dataset, indexes, part, pixels)
        except RasterioError as error:
            raise SceneError(
                f"{self.path} cannot be read at rows {window.rows[0]}-{window.rows[1]},"
                f" columns {window.cols[0]}-{window.cols[1]} ({_reason(error)}); "
                f"the file is damaged or gone"
            ) from error
        if np.issubdtype(pixels.dtype, np.floating):
            valid &= np.isfinite(pixels).all(axis=0)
        return pixels, valid


def _valid(
    dataset: rasterio.DatasetReader,
    indexes: list[int],
    part: RasterioWindow,
    pixels: NDArray[np.generic],
) -> NDArray[np.bool_]:
    """Tell where every band has data, shape (y, x).

    Where a nodata value alone decides, and is a whole number, comparing the pixels
    takes less than half the time that GDAL takes to make masks.
    """
    flags = [dataset.mask_flag_enums[index - 1] for index in indexes]
    plain = all(flag == [MaskFlags.nodata] for flag in flags)
    if plain and np.issubdtype(pixels.dtype, np.integer):
        valid: NDArray[np.bool_] = np.ones(pixels.shape[1:], np.bool_)
        for index, band in zip(indexes, pixels, strict=True):
            valid &= band != dataset.nodatavals[index - 1]
    else:
        valid = dataset.read_masks(indexes, window=part).all(axis=0)
    return valid


def _coarsest(dataset: rasterio.DatasetReader) -> tuple[int, int] | None:
    """The size of the smallest overview that is worth a look."""
    sizes = [
        (-(-dataset.height // factor), -(-dataset.width // factor))
        for factor in dataset.overviews(1)
    ]
    useful = [size for size in sizes if min(size) >= _COARSE] or sizes[:1]
    return useful[-1] if useful else None


def open_scene(path: Path) -> Scene:
    """Read a raster's header.

    Raises:
        SceneError: The file is missing, is no raster, has no CRS or holds
            pixels that are no real numbers.

    """
    if not path.exists():
        raise SceneError(f"{path} does not exist; check the scene's path")
    try:
        with warnings.catch_warnings():
            # A raster without georeferencing is refused below, in one sentence.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                return Scene(
                    path=path,
                    georef=_georef(dataset),
                    bands=tuple(name or "" for name in dataset.descriptions),
                    dtype=_dtype(dataset),
                    nodata=_nodata(dataset),
                )
    except RasterioIOError as error:
        raise SceneError(
            f"{path} cannot be opened as a raster ({_reason(error)}); "
            f"geoseg reads GeoTIFF and other formats that GDAL knows"
        ) from error


def _nodata(dataset: rasterio.DatasetReader) -> float | None:
    value: float | None = dataset.nodata
    return None if value is None or math.isnan(value) else value


def _georef(dataset: rasterio.DatasetReader) -> Georef:
    if dataset.transform.is_identity:
        raise SceneError(
            f"{dataset.name} has no geotransform, so its pixels have no place on "
            f"Earth; give it one, for instance with gdal_translate -a_ullr"
        )
    if dataset.crs is None:
        raise SceneError(
            f"{dataset.name} has no coordinate reference system; assign one, "
            f"for instance: rio edit-info --crs EPSG:32633 {dataset.name}"
        )
    crs = CRS.from_wkt(dataset.crs.to_wkt())
    return Georef(dataset.height, dataset.width, dataset.transform, crs)


def _dtype(dataset: rasterio.DatasetReader) -> str:
    dtype = np.result_type(*dataset.dtypes)
    if np.issubdtype(dtype, np.complexfloating):
        raise SceneError(
            f"{dataset.name} holds complex numbers; convert them to real ones first"
        )
    return str(dtype)


def _reason(error: Exception) -> str:
    """GDAL's own words, which rasterio keeps in the cause of its error."""
    return str(error.__cause__ or error).strip().rstrip(".")
