"""Parts in any order, in one pass -> a Cloud Optimized GeoTIFF for each layer.

Parts come in any order, so each layer of one first goes into a sparse, uncompressed,
tiled GeoTIFF in a scratch folder: a part is written where it belongs and forgotten.
GDAL's COG driver then reads these files once from start to end, side by side, builds
the overviews and writes the products; each is read back, and measured meanwhile. All
steps work block by block, whatever the raster's size, and a product depends on the
pixels alone: no time stamp, no trace of the order or the shape of the parts.
"""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.crs import CRS

from geoseg.errors import ShapeError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.raster.class_names import LEGEND_TAG, legend_to_json, with_classes_named
from geoseg.raster.extents import squares
from geoseg.raster.rasterio_windows import check_inside, to_rasterio
from geoseg.scene.files.datasets import GDAL_ERRORS
from geoseg.storage.authorship import files_mark
from geoseg.storage.gdal_cache import small_cache
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend

_FULL = 1 << 20
"""A disk with fewer free bytes than this is full, however small the raster."""

_THREADS = {"num_threads": "ALL_CPUS"}
"""Blocks are compressed one by one: any number of threads makes the same bytes."""

_COG = {
    "driver": "COG",
    "compress": "DEFLATE",  # ZSTD is as small, but not every reader has it
    "blocksize": 512,
    "bigtiff": "IF_SAFER",
    **_THREADS,
}


OnSquare: TypeAlias = "Callable[[Window, NDArray[Any]], None]"
"""What is known of the pixels of a product as it is read back: a square of it, and its
values, shape ``(band, y, x)``; row by row, from the upper left."""


def _ignore(_window: Window, _values: NDArray[Any]) -> None:
    """Look at nothing."""


class Layer(Protocol):
    """A raster to write."""

    @property
    def path(self) -> Path:
        """The GeoTIFF; replaced where it exists."""

    @property
    def count(self) -> int:
        """The number of its bands."""

    @property
    def dtype(self) -> str:
        """The numpy dtype of its pixels."""

    @property
    def nodata(self) -> float:
        """What pixels are that no part covers."""

    @property
    def on_square(self) -> OnSquare:
        """Checksums and counts of the pixels that were written."""

    def finish(self, raster: Path, target: Path, tags: Mapping[str, str]) -> None:
        """Make the product of a temporary raster that holds its pixels."""


class _Bytes:
    """What layers have in common whose pixels are a byte each, 255 without data."""

    __slots__ = ()

    @property
    def dtype(self) -> str:
        """The numpy dtype of its pixels."""
        return "uint8"

    @property
    def nodata(self) -> float:
        """What pixels are that no part covers."""
        return NODATA


@dataclass(frozen=True, slots=True)
class ClassLayer(_Bytes):
    """A class map to write, with its colours, class names and overviews.

    Overviews take the most frequent class of what they cover (nodata does not
    vote where there is a class), so they hold no id that the map does not.
    """

    path: Path
    """The GeoTIFF; replaced where it exists. Class names go to ``<path>.aux.xml``."""
    legend: Legend
    """Names and colours of the classes."""
    on_square: OnSquare = _ignore
    """What is known of the pixels that were written."""

    @property
    def count(self) -> int:
        """The number of its bands."""
        return 1

    def finish(self, raster: Path, target: Path, tags: Mapping[str, str]) -> None:
        """Make the product of a temporary raster that holds its pixels."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.write_colormap(1, self.legend.colormap())
            dataset.update_tags(**tags, **{LEGEND_TAG: legend_to_json(self.legend)})
            dataset.set_band_description(1, "class")
        view = with_classes_named(raster, self.legend)
        rasterio.shutil.copy(view, target, overview_resampling="mode", **_COG)
        _sign(target)


@dataclass(frozen=True, slots=True)
class MeasureLayer(_Bytes):
    """Measures of each pixel to write, a band each, with overviews by average."""

    path: Path
    """The GeoTIFF; replaced where it exists."""
    names: Sequence[str]
    """What each band is."""
    unit: str = ""
    """What all bands are measured in."""
    one: int = 1
    """The byte that means 1; the bands' scale says so to who reads them."""
    on_square: OnSquare = _ignore
    """What is known of the pixels that were written."""

    @property
    def count(self) -> int:
        """The number of its bands."""
        return len(self.names)

    def finish(self, raster: Path, target: Path, tags: Mapping[str, str]) -> None:
        """Make the product of a temporary raster that holds its pixels."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            dataset.scales = [1 / self.one] * self.count
            for band, name in enumerate(self.names, start=1):
                dataset.set_band_description(band, name)
                dataset.set_band_unit(band, self.unit)
        # Measures are close to noise: more effort makes the file 5 % smaller and
        # takes four times as long.
        options = {**_COG, "level": 1, "overview_resampling": "average"}
        rasterio.shutil.copy(raster, target, **options)


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """Pixels of any dtype to write, with the numbers that say what they mean."""

    path: Path
    """The GeoTIFF; replaced where it exists."""
    names: Sequence[str]
    """What each band is."""
    dtype: str
    """The numpy dtype of its pixels."""
    nodata: float
    """What pixels without data are, and those that no part covers."""
    scales: Sequence[tuple[float, float]] = ()
    """Each band's scale and offset; 1 and 0 where none are given."""
    overviews: str = "average"
    """How overviews are made, in GDAL's words."""
    on_square: OnSquare = _ignore
    """Checksums and counts of the pixels that were written."""

    @property
    def count(self) -> int:
        """The number of its bands."""
        return len(self.names)

    def finish(self, raster: Path, target: Path, tags: Mapping[str, str]) -> None:
        """Make the product of a temporary raster that holds its pixels."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            if self.scales:
                dataset.scales, dataset.offsets = zip(*self.scales, strict=True)
            for band, name in enumerate(self.names, start=1):
                dataset.set_band_description(band, name)
        options = {**_COG, "predictor": "YES", "overview_resampling": self.overviews}
        rasterio.shutil.copy(raster, target, **options)


def write_layers(
    layers: Sequence[Layer],
    geobox: GeoBox,
    parts: Iterable[tuple[Window, Sequence[NDArray[Any]]]],
    *,
    tags: Mapping[str, str],
    scratch: Path,
) -> None:
    """Write all layers of a map in one pass over its parts.

    Args:
        layers: What to write.
        geobox: The output plane.
        parts: Windows, counted from the plane's pixel (0, 0), each with the values of
            each layer, in its dtype, shape ``(band, y, x)``, or ``(y, x)`` of one band.
            Disjoint, in any order. What no part covers is nodata. Consumed one at a
            time.
        tags: GDAL metadata of the files, such as the model's name.
        scratch: A folder for the temporary rasters, of their pixels uncompressed.

    Raises:
        GridError: A part reaches outside the plane.
        ShapeError: A part's array has not the layer's dtype or its window's shape.
        DiskError: The disk is full or cannot be written; nothing is left.

    """
    rasters = [scratch / f"{layer.path.name}.parts.tif" for layer in layers]
    size = sum(layer.count * np.dtype(layer.dtype).itemsize for layer in layers)
    try:
        with ExitStack() as stack:
            targets = [stack.enter_context(atomic_file(one.path)) for one in layers]
            folders = scratch, *(target.parent for target in targets)
            stack.enter_context(_gdal_failures_as_os_errors(geobox, size, *folders))
            totals = _gather(rasters, layers, geobox, parts)

            def finish(index: int) -> None:
                layer, target = layers[index], targets[index]
                with small_cache():
                    layer.finish(rasters[index], target, tags)
                    _check(target, totals[index], layer.on_square)

            with ThreadPoolExecutor(len(layers), thread_name_prefix="cog") as threads:
                list(threads.map(finish, range(len(layers))))
    finally:
        for leftover in (each for r in rasters for each in scratch.glob(f"{r.name}*")):
            leftover.unlink()


def write_class_map(
    path: Path,
    geobox: GeoBox,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    *,
    legend: Legend,
    tags: Mapping[str, str],
    scratch: Path,
) -> None:
    """Write a class map alone: see `ClassLayer` and `write_layers`."""
    each = ((window, [values]) for window, values in parts)
    write_layers([ClassLayer(path, legend)], geobox, each, tags=tags, scratch=scratch)


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
    """Write measures alone: see `MeasureLayer` and `write_layers`."""
    each, layer = ((w, [v]) for w, v in parts), MeasureLayer(path, names, unit, one)
    write_layers([layer], geobox, each, tags=tags, scratch=scratch)


def _sign(path: Path) -> None:
    """Add the raster's checksum to what GDAL keeps beside it: see `authorship`.

    As metadata of a domain of its own it stays when other programs add statistics.
    """
    beside = path.with_name(f"{path.name}.aux.xml")
    tree = ET.parse(beside)  # noqa: S314  # GDAL wrote it a moment ago
    domain = ET.SubElement(tree.getroot(), "Metadata", domain="geoseg")
    ET.SubElement(domain, "MDI", key="files").text = files_mark([path])
    tree.write(beside, encoding="utf-8")


def _gather(
    rasters: Sequence[Path],
    layers: Sequence[Layer],
    geobox: GeoBox,
    parts: Iterable[tuple[Window, Sequence[NDArray[Any]]]],
) -> list[int]:
    """Write the parts; return, for each layer, the sum of all bytes of its pixels."""
    empty = [_sum_of(np.array(one.nodata, one.dtype)) for one in layers]
    pixels = geobox.height * geobox.width
    totals = [one.count * pixels * e for one, e in zip(layers, empty, strict=True)]
    with small_cache(), ExitStack() as stack:
        datasets = []
        for raster, layer in zip(rasters, layers, strict=True):
            raster.parent.mkdir(parents=True, exist_ok=True)
            new = rasterio.open(raster, "w", **_profile(geobox, layer))
            datasets.append(stack.enter_context(new))
        for window, found in parts:
            for index, values in enumerate(found):
                planes = values.reshape(-1, *values.shape[-2:])
                _check_part(geobox, window, layers[index], planes)
                datasets[index].write(planes, window=to_rasterio(window))
                totals[index] += _sum_of(values) - empty[index] * values.size
    return totals


def _check(path: Path, total: int, on_square: OnSquare) -> None:
    """Read the product back, overviews too, and compare the sum of its pixels.

    GDAL says nothing of what fails while it closes a file: on a disk that was
    full for the last kilobytes, a truncated product looks like a success.
    """
    with rasterio.open(path, **_THREADS) as dataset:
        levels = len(dataset.overviews(1))
        if _sum(dataset, on_square) != total:
            raise OSError(errno.EIO, "what was written does not read back")
    for level in range(levels):
        with rasterio.open(path, overview_level=level, **_THREADS) as dataset:
            _sum(dataset, _ignore)


def _sum(dataset: DatasetReader, on_square: OnSquare) -> int:
    """Add up all bytes of the pixels of all bands, square by square."""
    total = 0
    for window in squares(Window(0, 0, *dataset.shape)):
        values = dataset.read(window=to_rasterio(window))
        on_square(window, values)
        total += _sum_of(values)
    return total


def _sum_of(values: NDArray[Any]) -> int:
    """Add up the bytes of pixels of whatever dtype: a sum that no order changes."""
    return int(np.ascontiguousarray(values).view(np.uint8).sum(dtype=np.int64))


@contextmanager
def _gdal_failures_as_os_errors(
    geobox: GeoBox, size: int, *folders: Path
) -> Iterator[None]:
    """Say "no space left" where that is why GDAL failed; its words seldom do.

    By the time it reports, it may have removed what it had made, so a disk
    counts as full that has not the room of the uncompressed raster.
    """
    try:
        yield
    except GDAL_ERRORS as error:
        free = min(shutil.disk_usage(folder).free for folder in folders)
        full = free < max(size * geobox.height * geobox.width, _FULL)
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, f"{os.strerror(code)} (GDAL: {error})") from error


def _profile(geobox: GeoBox, layer: Layer) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "dtype": layer.dtype,
        "count": layer.count,
        "height": geobox.height,
        "width": geobox.width,
        "transform": geobox.transform,
        "crs": CRS.from_wkt(geobox.crs.to_wkt()),
        "nodata": layer.nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "sparse_ok": True,  # blocks that no part touches take no space
        "bigtiff": "IF_SAFER",
    }


def _check_part(
    geobox: GeoBox, window: Window, layer: Layer, values: NDArray[Any]
) -> None:
    check_inside(geobox, window)
    shape = (layer.count, window.height, window.width)
    if values.dtype != layer.dtype or values.shape != shape:
        raise ShapeError(
            f"the part at {window} needs a {layer.dtype} array of shape {shape}, "
            f"got {values.dtype} {values.shape}"
        )
