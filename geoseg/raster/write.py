"""Parts in any order, in one pass -> a Cloud Optimized GeoTIFF for each layer.

Parts come in any order, and perhaps while a map is still being made. Each layer grows
by itself (see `growing`): what is final of it is compressed, measured and averaged for
its overviews before the last part is there. All steps work block by block, whatever
the raster's size, and a product depends on the pixels alone: no time stamp, no trace of
the order or the shape of the parts.
"""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from xml.etree import ElementTree as ET

import numpy as np
import rasterio

from geoseg.geo.legend import NODATA
from geoseg.raster.class_names import LEGEND_TAG, legend_to_json, with_classes_named
from geoseg.raster.cog import Compression
from geoseg.raster.extents import SQUARE
from geoseg.raster.growing import Front, GrowingRaster, growing_raster
from geoseg.scene.files.datasets import GDAL_ERRORS
from geoseg.storage.authorship import files_mark
from geoseg.storage.gdal_cache import small_cache
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window
    from geoseg.raster.growing import Layer

_FULL = 1 << 20
"""A disk with fewer free bytes than this is full, however small the raster."""

_SQUARES = 16
"""Squares of a layer that are compressed before other layers must be as far."""

OnSquare: TypeAlias = "Callable[[Window, NDArray[Any]], None]"
"""What is known of the pixels of a product as they are compressed: a square of them,
and its values, shape ``(band, y, x)``; row by row, from the upper left."""


def _ignore(_window: Window, _values: NDArray[Any]) -> None:
    """Look at nothing."""


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

    def sign(self, target: Path) -> None:
        """Add nothing to the product."""


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

    @property
    def compression(self) -> Compression:
        """How hard its pixels are compressed."""
        return Compression()

    @property
    def overviews(self) -> str:
        """How overviews are made, in GDAL's words."""
        return "mode"

    def described(self, raster: Path, tags: Mapping[str, str]) -> Path:
        """Say what its pixels mean in a raster without any; give what is copied."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.write_colormap(1, self.legend.colormap())
            dataset.update_tags(**tags, **{LEGEND_TAG: legend_to_json(self.legend)})
            dataset.set_band_description(1, "class")
        return with_classes_named(raster, self.legend)

    def sign(self, target: Path) -> None:
        """Add the raster's checksum to what GDAL keeps beside it: see `authorship`.

        As metadata of a domain of its own it stays when other programs add statistics.
        """
        beside = target.with_name(f"{target.name}.aux.xml")
        tree = ET.parse(beside)  # noqa: S314  # GDAL wrote it a moment ago
        domain = ET.SubElement(tree.getroot(), "Metadata", domain="geoseg")
        ET.SubElement(domain, "MDI", key="files").text = files_mark([target])
        tree.write(beside, encoding="utf-8")


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

    @property
    def compression(self) -> Compression:
        """How hard its pixels are compressed.

        Measures are close to noise: more effort makes the file 5 % smaller and takes
        four times as long.
        """
        return Compression(level=1)

    @property
    def overviews(self) -> str:
        """How overviews are made, in GDAL's words."""
        return "average"

    def described(self, raster: Path, tags: Mapping[str, str]) -> Path:
        """Say what its pixels mean in a raster without any; give what is copied."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            dataset.scales = [1 / self.one] * self.count
            for band, name in enumerate(self.names, start=1):
                dataset.set_band_description(band, name)
                dataset.set_band_unit(band, self.unit)
        return raster


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

    @property
    def compression(self) -> Compression:
        """How hard its pixels are compressed."""
        return Compression(predicts=True)

    def described(self, raster: Path, tags: Mapping[str, str]) -> Path:
        """Say what its pixels mean in a raster without any; give what is copied."""
        with rasterio.open(raster, "r+") as dataset:
            dataset.update_tags(**tags)
            if self.scales:
                dataset.scales, dataset.offsets = zip(*self.scales, strict=True)
            for band, name in enumerate(self.names, start=1):
                dataset.set_band_description(band, name)
        return raster

    def sign(self, target: Path) -> None:
        """Add nothing to the product."""


def write_layers(  # a product is that many things
    layers: Sequence[Layer],
    geobox: GeoBox,
    parts: Iterable[tuple[Window, Sequence[NDArray[Any]]]],
    *,
    tags: Mapping[str, str],
    scratch: Path,
    due: Iterable[Window] | None = None,
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
        due: The windows of all parts that may come, where they are known: rows are
            compressed as soon as they are final. All of them at the end where None.

    Raises:
        GridError: A part reaches outside the plane.
        ShapeError: A part's array has not the layer's dtype or its window's shape.
        DiskError: The disk is full or cannot be written; nothing is left.

    """
    size = sum(layer.count * np.dtype(layer.dtype).itemsize for layer in layers)
    with ExitStack() as stack:
        targets = [stack.enter_context(atomic_file(one.path)) for one in layers]
        folders = scratch, *(target.parent for target in targets)
        stack.enter_context(_gdal_failures_as_os_errors(geobox, size, *folders))
        stack.enter_context(small_cache())
        threads = stack.enter_context(
            ThreadPoolExecutor(len(layers), thread_name_prefix="layer")
        )
        growing = [
            stack.enter_context(growing_raster(layer, geobox, target, tags, scratch))
            for layer, target in zip(layers, targets, strict=True)
        ]
        front, reached = Front(geobox.height, due), 0
        for window, found in parts:
            for each, values in zip(growing, found, strict=True):
                each.put(window, values)
            front.put(window)
            if front.rows > reached:
                _advance(growing, threads, (reached, front.rows), geobox.width)
                reached = front.rows
        _advance(growing, threads, (reached, geobox.height), geobox.width)
        list(threads.map(GrowingRaster.finish, growing))


def _advance(
    growing: Sequence[GrowingRaster],
    threads: Executor,
    new: tuple[int, int],
    width: int,
) -> None:
    """Compress rows that are final, a few squares of all layers at a time.

    So who looks at the squares of two layers never has many of one alone.
    """
    step = SQUARE * -(-_SQUARES // -(-width // SQUARE))
    for row in range(*new, step):
        rows = min(row + step, new[1])
        list(threads.map(lambda each, rows=rows: each.advance(rows), growing))


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
