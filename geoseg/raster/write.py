"""Parts in any order -> one Cloud Optimized GeoTIFF.

Parts come in any order, so they first go into a sparse, uncompressed, tiled
GeoTIFF in a scratch folder: a part is written where it belongs and forgotten.
GDAL's COG driver then reads that file once from start to end, builds the
overviews and writes the product. Both steps work block by block, whatever the
raster's size, and the product depends on the pixels alone: no time stamp, no
trace of the order or the shape of the parts.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError  # what rasterio.shutil.copy raises
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import ShapeError
from geoseg.geo.legend import NODATA
from geoseg.raster.class_names import LEGEND_TAG, legend_to_json, with_classes_named
from geoseg.raster.rasterio_windows import check_inside, to_rasterio
from geoseg.storage.authorship import files_mark
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window

_CACHE = 64 << 20
"""Bytes of GDAL's block cache while writing; its default is a share of the machine."""

_FULL = 1 << 20
"""A disk with fewer free bytes than this is full, however small the raster."""

_SQUARE = 2048
"""The side of what is read back at a time: whole blocks of 512."""

_THREADS = {"num_threads": "ALL_CPUS"}
"""Blocks are compressed one by one: any number of threads makes the same bytes."""

_COG = {
    "driver": "COG",
    "compress": "DEFLATE",  # ZSTD is as small, but not every reader has it
    "blocksize": 512,
    "bigtiff": "IF_SAFER",
    **_THREADS,
}


def write_class_map(
    path: Path,
    geobox: GeoBox,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    *,
    legend: Legend,
    tags: Mapping[str, str],
    scratch: Path,
) -> None:
    """Write a class map with its colours, class names and overviews.

    Overviews take the most frequent class of what they cover (nodata does not
    vote where there is a class), so they hold no id that the map does not.

    Args:
        path: The GeoTIFF to write; replaced where it exists. Class names go to
            ``<path>.aux.xml``.
        geobox: The output plane.
        parts: Windows, counted from the plane's pixel (0, 0), each with its
            class ids, shape (y, x) or (1, y, x). Disjoint, in any order. What no part
            covers is nodata. Consumed one at a time.
        legend: Names and colours of the classes.
        tags: GDAL metadata of the file, such as the model's name.
        scratch: A folder for the temporary raster, of one byte a pixel.

    Raises:
        GridError: A part reaches outside the plane.
        ShapeError: A part's array is no uint8 array of its window's shape.
        DiskError: The disk is full or cannot be written; nothing is left.

    """
    tags = {**tags, LEGEND_TAG: legend_to_json(legend)}
    with _product(path, geobox, parts, scratch, 1) as (raster, target):
        with rasterio.open(raster, "r+") as dataset:
            dataset.write_colormap(1, legend.colormap())
            dataset.update_tags(**tags)
            dataset.set_band_description(1, "class")
        view = with_classes_named(raster, legend)
        rasterio.shutil.copy(view, target, overview_resampling="mode", **_COG)
        _sign(target)


def write_measures(  # noqa: PLR0913  # a product is that many things
    path: Path,
    geobox: GeoBox,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    *,
    names: Sequence[str],
    unit: str = "",
    one: int = 1,
    tags: Mapping[str, str],
    scratch: Path,
) -> None:
    """Write measures of each pixel, a band each, with overviews by average.

    Errors and guarantees are those of `write_class_map`.

    Args:
        path: The GeoTIFF to write; replaced where it exists.
        geobox: The output plane.
        parts: Windows, counted from the plane's pixel (0, 0), each with its values,
            shape (band, y, x).
        names: What each band is.
        unit: What all bands are measured in.
        one: The byte that means 1; the bands' scale says so to who reads them.
        tags: GDAL metadata of the file.
        scratch: A folder for the temporary raster, of one byte a pixel and band.

    """
    bands = range(1, len(names) + 1)
    with _product(path, geobox, parts, scratch, len(names)) as (raster, target):
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            dataset.scales = [1 / one for _ in bands]
            for band, name in zip(bands, names, strict=True):
                dataset.set_band_description(band, name)
                dataset.set_band_unit(band, unit)
        # Measures are close to noise: more effort makes the file 5 % smaller and
        # takes four times as long.
        options = {**_COG, "level": 1, "overview_resampling": "average"}
        rasterio.shutil.copy(raster, target, **options)


def _sign(path: Path) -> None:
    """Add the raster's checksum to what GDAL keeps beside it: see `authorship`.

    As metadata of a domain of its own it stays when other programs add statistics.
    """
    beside = path.with_name(f"{path.name}.aux.xml")
    tree = ET.parse(beside)  # noqa: S314  # GDAL wrote it a moment ago
    domain = ET.SubElement(tree.getroot(), "Metadata", domain="geoseg")
    ET.SubElement(domain, "MDI", key="files").text = files_mark([path])
    tree.write(beside, encoding="utf-8")


@contextmanager
def _product(
    path: Path,
    geobox: GeoBox,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    scratch: Path,
    bands: int,
) -> Iterator[tuple[Path, Path]]:
    """Yield a temporary raster with the parts in place, and where to make the product.

    When the body ends well the product is moved to its path; the temporary
    raster goes either way.
    """
    raster = scratch / f"{path.name}.parts.tif"
    try:
        with (
            rasterio.Env(GDAL_CACHEMAX=_CACHE),
            atomic_file(path) as target,
            _gdal_failures_as_os_errors(geobox, bands, scratch, target.parent),
        ):
            total = _gather(raster, geobox, parts, bands)
            yield raster, target
            _check(target, total)
    finally:
        for leftover in scratch.glob(f"{raster.name}*"):
            leftover.unlink()


def _gather(
    raster: Path,
    geobox: GeoBox,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    bands: int,
) -> int:
    """Write the parts; return the sum of all pixels of all bands."""
    raster.parent.mkdir(parents=True, exist_ok=True)
    total = NODATA * bands * geobox.height * geobox.width
    with rasterio.open(raster, "w", **_profile(geobox, bands)) as dataset:
        for window, values in parts:
            planes = values.reshape(-1, *values.shape[-2:])
            _check_part(geobox, window, bands, planes)
            dataset.write(planes, window=to_rasterio(window))
            total += int(values.sum(dtype=np.int64)) - NODATA * values.size
    return total


def _check(path: Path, total: int) -> None:
    """Read the product back, overviews too, and compare the sum of its pixels.

    GDAL says nothing of what fails while it closes a file: on a disk that was
    full for the last kilobytes, a truncated product looks like a success.
    """
    with rasterio.open(path, **_THREADS) as dataset:
        levels = len(dataset.overviews(1))
        if _sum(dataset) != total:
            raise OSError(errno.EIO, "what was written does not read back")
    for level in range(levels):
        with rasterio.open(path, overview_level=level, **_THREADS) as dataset:
            _sum(dataset)


def _sum(dataset: DatasetReader) -> int:
    """Add up all pixels of all bands, square by square."""
    height, width = dataset.shape
    total = 0
    for row, col in product(range(0, height, _SQUARE), range(0, width, _SQUARE)):
        square = RasterioWindow(
            col, row, min(_SQUARE, width - col), min(_SQUARE, height - row)
        )
        total += int(dataset.read(window=square).sum(dtype=np.int64))
    return total


@contextmanager
def _gdal_failures_as_os_errors(
    geobox: GeoBox, bands: int, *folders: Path
) -> Iterator[None]:
    """Say "no space left" where that is why GDAL failed; its words seldom do.

    By the time it reports, it may have removed what it had made, so a disk
    counts as full that has not the room of the uncompressed raster.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        free = min(shutil.disk_usage(folder).free for folder in folders)
        full = free < max(bands * geobox.height * geobox.width, _FULL)
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, f"{os.strerror(code)} (GDAL: {error})") from error


def _profile(geobox: GeoBox, bands: int) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": bands,
        "height": geobox.height,
        "width": geobox.width,
        "transform": geobox.transform,
        "crs": CRS.from_wkt(geobox.crs.to_wkt()),
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "sparse_ok": True,  # blocks that no part touches take no space
        "bigtiff": "IF_SAFER",
    }


def _check_part(
    geobox: GeoBox, window: Window, bands: int, values: NDArray[np.uint8]
) -> None:
    check_inside(geobox, window)
    shape = (bands, window.height, window.width)
    if values.dtype != np.uint8 or values.shape != shape:
        raise ShapeError(
            f"the part at {window} needs a uint8 array of shape {shape}, "
            f"got {values.dtype} {values.shape}"
        )
