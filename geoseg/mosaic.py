"""The door for writing rasters: parts -> one Cloud Optimized GeoTIFF.

Parts come in any order, so they first go into a sparse, uncompressed, tiled
GeoTIFF in a scratch folder: a part is written where it belongs and forgotten.
GDAL's COG driver then reads that file once from start to end, builds the
overviews and writes the product. Both steps work block by block, whatever the
raster's size, and the product depends on the pixels alone: no time stamp, no
trace of the order or the shape of the parts.

rasterio cannot write the names of classes, but a VRT can carry them: the COG
driver copies them to the ``.aux.xml`` beside the product, where GDAL and QGIS look.
The legend is also kept in the file's own tags, so that a map that lost its
sidecar still knows its classes (`ClassMap.legend`).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
from pyproj import CRS
from rasterio._err import CPLE_BaseError  # what rasterio.shutil.copy raises
from rasterio.crs import CRS as RasterioCRS  # noqa: N811 (pyproj's is CRS here)
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geoseg.atomic import atomic_file
from geoseg.classes import NODATA, LandClass, Legend
from geoseg.errors import GridError, SceneError, ShapeError
from geoseg.georef import Georef
from geoseg.grid import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

_CACHE_MB = 64
"""GDAL's block cache while writing; its default is a share of the machine."""

_FULL = 1 << 20
"""A disk with fewer free bytes than this is full, however small the raster."""

_LEGEND_TAG = "GEOSEG_LEGEND"

_TABLE_FIELDS = {  # name: (GDALRATFieldType, GDALRATFieldUsage), GDAL's numbers
    "Value": (0, 5),  # integer; least and largest value
    "Class": (2, 2),  # string; name
    "Red": (0, 6),
    "Green": (0, 7),
    "Blue": (0, 8),
    "Alpha": (0, 9),
}

_COG = {
    "driver": "COG",
    "compress": "DEFLATE",  # ZSTD is as small, but not every reader has it
    "blocksize": 512,
    "bigtiff": "IF_SAFER",
    "num_threads": "ALL_CPUS",  # blocks are compressed alone: the same bytes
}


def write_class_map(
    path: Path,
    georef: Georef,
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
        georef: The output plane.
        parts: Windows, counted from the plane's pixel (0, 0), each with its
            class ids, shape (y, x). Disjoint, in any order. What no part
            covers is nodata. Consumed one at a time.
        legend: Names and colours of the classes.
        tags: GDAL metadata of the file, such as the model's name.
        scratch: A folder for the temporary raster, of one byte a pixel.

    Raises:
        GridError: A part reaches outside the plane.
        ShapeError: A part's array is no uint8 array of its window's shape.
        DiskError: The disk is full or cannot be written; nothing is left.

    """
    tags = {**tags, _LEGEND_TAG: _legend_to_json(legend)}
    with _product(path, georef, parts, scratch) as (raster, product):
        with rasterio.open(raster, "r+") as dataset:
            dataset.write_colormap(1, legend.colormap())
            dataset.update_tags(**tags)
            dataset.set_band_description(1, "class")
        view = _with_classes_named(raster, legend)
        rasterio.shutil.copy(view, product, overview_resampling="mode", **_COG)


def write_confidence(
    path: Path,
    georef: Georef,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    *,
    tags: Mapping[str, str],
    scratch: Path,
) -> None:
    """Write confidences, 0 to 100 percent, with overviews by average.

    Arguments, errors and guarantees are those of `write_class_map`.
    """
    with _product(path, georef, parts, scratch) as (raster, product):
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            dataset.set_band_description(1, "confidence")
            dataset.set_band_unit(1, "percent")
        rasterio.shutil.copy(raster, product, overview_resampling="average", **_COG)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A map on disk that `write_class_map` or `write_confidence` made.

    Safe to share between threads and to pickle: it holds a path, and opens it
    for each read (about a millisecond).
    """

    path: Path
    """The GeoTIFF."""
    georef: Georef
    """Its pixel plane."""

    @classmethod
    def open(cls, path: Path) -> ClassMap:
        """Look at a map: one band of uint8 with a CRS.

        Raises:
            SceneError: The file is missing, no raster, or another kind of one.

        """
        with _opened(path) as dataset:
            if dataset.dtypes != ("uint8",) or dataset.crs is None:
                raise SceneError(
                    f"a class map has one uint8 band and a CRS, but {path} has "
                    f"{dataset.count} of {dataset.dtypes[0]} and CRS {dataset.crs}"
                )
            crs = CRS.from_wkt(dataset.crs.to_wkt())
            plane = Georef(dataset.height, dataset.width, dataset.transform, crs)
        return cls(path, plane)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window of the plane, shape (y, x); 255 is nodata.

        Raises:
            GridError: The window reaches outside the plane.
            SceneError: The file cannot be read (any more).

        """
        _check_inside(self.georef, window)
        with _opened(self.path) as dataset:
            values: NDArray[np.uint8] = dataset.read(1, window=_rasterio_window(window))
        return values

    def legend(self) -> Legend | None:
        """Read the legend that `write_class_map` left in the file; None if none."""
        with _opened(self.path) as dataset:
            text = dataset.tags().get(_LEGEND_TAG)
        return None if text is None else _legend_from_json(text)


def class_counts(path: Path) -> dict[int, int]:
    """Count the pixels of each value of a map, block by block.

    Args:
        path: A map that `write_class_map` made.

    Returns:
        Pixels of each value that occurs, rising by value, nodata (255) included.

    Raises:
        SceneError: The file cannot be read.

    """
    totals = np.zeros(256, np.int64)
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB), _opened(path) as dataset:
        for _, window in dataset.block_windows(1):
            values = dataset.read(1, window=window)
            totals += np.bincount(values.ravel(), minlength=256)
    return {int(value): int(totals[value]) for value in np.flatnonzero(totals)}


@contextmanager
def _product(
    path: Path,
    georef: Georef,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    scratch: Path,
) -> Iterator[tuple[Path, Path]]:
    """Yield a temporary raster with the parts in place, and where to make the product.

    When the body ends well the product is moved to its path; the temporary
    raster goes either way.
    """
    raster = scratch / f"{path.name}.parts.tif"
    try:
        with (
            rasterio.Env(GDAL_CACHEMAX=_CACHE_MB),
            atomic_file(path) as product,
            _gdal_failures_as_os_errors(georef, scratch, product.parent),
        ):
            _gather(raster, georef, parts)
            yield raster, product
            # Another map's names or statistics must not describe this one.
            path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)
    finally:
        for leftover in scratch.glob(f"{raster.name}*"):
            leftover.unlink()


def _gather(
    raster: Path,
    georef: Georef,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
) -> None:
    raster.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(raster, "w", **_profile(georef)) as dataset:
        for window, values in parts:
            _check_part(georef, window, values)
            dataset.write(values, 1, window=_rasterio_window(window))


@contextmanager
def _gdal_failures_as_os_errors(georef: Georef, *folders: Path) -> Iterator[None]:
    """Say "no space left" where that is why GDAL failed; its words seldom do.

    By the time it reports, it may have removed what it had made, so a disk
    counts as full that has not the room of the uncompressed raster.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        free = min(shutil.disk_usage(folder).free for folder in folders)
        full = free < max(georef.height * georef.width, _FULL)
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, f"{os.strerror(code)} (GDAL: {error})") from error


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    try:
        with rasterio.open(path) as dataset:
            yield dataset
    except RasterioError as error:
        raise SceneError(f"cannot read the map {path}: {error}") from error


def _profile(georef: Georef) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": georef.height,
        "width": georef.width,
        "transform": georef.transform,
        "crs": RasterioCRS.from_wkt(georef.crs.to_wkt()),
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "sparse_ok": True,  # blocks that no part touches take no space
        "bigtiff": "IF_SAFER",
    }


def _check_inside(georef: Georef, window: Window) -> None:
    if not Window(0, 0, georef.height, georef.width).contains(window):
        raise GridError(
            f"a window must lie on the plane of {georef.height} rows x "
            f"{georef.width} columns, got {window}"
        )


def _check_part(georef: Georef, window: Window, values: NDArray[np.uint8]) -> None:
    _check_inside(georef, window)
    if values.dtype != np.uint8 or values.shape != (window.height, window.width):
        raise ShapeError(
            f"the part at {window} needs a uint8 array of its shape, "
            f"got {values.dtype} {values.shape}"
        )


def _with_classes_named(raster: Path, legend: Legend) -> Path:
    """Make a VRT of the raster that adds the names of the classes."""
    view = raster.with_name(f"{raster.name}.vrt")
    rasterio.shutil.copy(raster, view, driver="VRT")
    tree = ET.parse(view)  # noqa: S314 (GDAL wrote it a moment ago)
    for band in tree.iter("VRTRasterBand"):
        names = ET.SubElement(band, "CategoryNames")
        for name in legend.category_names():
            ET.SubElement(names, "Category").text = name
        band.append(_attribute_table(legend))
    tree.write(view, encoding="utf-8")
    return view


def _attribute_table(legend: Legend) -> ET.Element:
    """List the classes in GDAL's raster attribute table.

    From it QGIS makes a legend of these classes; from the colour table alone it
    would make one of all 256 values.
    """
    table = ET.Element("GDALRasterAttributeTable", tableType="thematic")
    for index, (name, (kind, usage)) in enumerate(_TABLE_FIELDS.items()):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            ET.SubElement(field, tag).text = str(text)
    for index, land_class in enumerate(legend):
        row = ET.SubElement(table, "Row", index=str(index))
        for value in (land_class.id, land_class.name, *land_class.rgb, 255):
            ET.SubElement(row, "F").text = str(value)
    return table


def _legend_to_json(legend: Legend) -> str:
    classes = [{"id": c.id, "name": c.name, "colour": c.colour} for c in legend]
    return json.dumps(classes, ensure_ascii=False)


def _legend_from_json(text: str) -> Legend:
    return Legend(tuple(LandClass(**entry) for entry in json.loads(text)))


def _rasterio_window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
