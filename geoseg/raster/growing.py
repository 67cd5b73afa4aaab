"""A layer of a map while it grows: what is final is compressed, and its overviews, too.

Parts come in any order and go into a sparse, uncompressed, tiled GeoTIFF. Rows that no
part can change any more are read once, compressed, measured, and averaged for the next
coarser level, which does the same. So a product is nearly there when the last part is.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.windows import Window as GdalWindow

from geoseg.errors import ShapeError
from geoseg.geo.windows import Window
from geoseg.raster.cog import (
    BLOCK,
    Tiles,
    begin_cog,
    check_cog,
    complete_cog,
    compressed,
    shapes_of,
)
from geoseg.raster.extents import SQUARE, squares
from geoseg.raster.rasterio_windows import check_inside, to_rasterio
from geoseg.storage.prefetch import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray
    from rasterio.io import DatasetWriter

    from geoseg.geo.geobox import GeoBox
    from geoseg.raster.cog import CompressedTile, Compression


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
    def compression(self) -> Compression:
        """How hard its pixels are compressed."""

    @property
    def overviews(self) -> str:
        """How overviews are made, in GDAL's words."""

    @property
    def on_square(self) -> Callable[[Window, NDArray[Any]], None]:
        """Checksums and counts of the pixels that are written."""

    def described(self, raster: Path, tags: Mapping[str, str]) -> Path:
        """Say what its pixels mean in a raster without any; give what is copied."""

    def sign(self, target: Path) -> None:
        """Add to the product what depends on its bytes."""


class Front:
    """How many rows of a plane, from the first, no part can change any more."""

    def __init__(self, height: int, due: Iterable[Window] | None) -> None:
        """Begin before the first part.

        Args:
            height: Rows of the plane.
            due: The windows of all parts that may come; None where they are not known,
                and no row is final before the end.

        """
        self._height, self._is_known = height, due is not None
        self._left = np.zeros(-(-height // SQUARE), np.int64)
        for window in due or ():
            self._add(window, 1)

    def put(self, window: Window) -> None:
        """Note that a part is there."""
        self._add(window, -1)

    @property
    def rows(self) -> int:
        """How many there are: whole squares, or all."""
        if not self._is_known:
            return 0
        waiting = np.flatnonzero(self._left)
        return self._height if not len(waiting) else int(waiting[0]) * SQUARE

    def _add(self, window: Window, sign: int) -> None:
        top, bottom = window.rows
        for number in range(top // SQUARE, -(-bottom // SQUARE)):
            begin = number * SQUARE
            rows = min(bottom, begin + SQUARE) - max(top, begin)
            self._left[number] += sign * rows * window.width


class _Level:
    """One resolution: its pixels as far as they are known, and its tiles."""

    def __init__(
        self, dataset: DatasetWriter, tiles: Tiles, finer: _Level | None
    ) -> None:
        self.dataset, self.tiles, self._finer = dataset, tiles, finer
        self.height, self.width = dataset.shape
        self.done = 0
        """Rows that are compressed."""

    def known(self, rows: int) -> int:
        """How many rows are known where so many of the finer level are final."""
        if self._finer is None or rows == self._finer.height:
            return rows if self._finer is None else self.height
        return int(rows * self.height / self._finer.height) // SQUARE * SQUARE

    def read(self, window: Window, resampling: Resampling) -> NDArray[Any]:
        """Read a window; of an overview, make it of the finer level."""
        values: NDArray[Any]
        if self._finer is None:
            values = self.dataset.read(window=to_rasterio(window))
            return values
        down = self._finer.height / self.height
        across = self._finer.width / self.width
        if resampling is Resampling.nearest:
            values = self._finer.picked(
                _nearest(window.rows, down), _nearest(window.cols, across)
            )
        else:
            under = GdalWindow(
                window.col * across,
                window.row * down,
                window.width * across,
                window.height * down,
            )
            shape = self.dataset.count, window.height, window.width
            values = self._finer.dataset.read(
                window=under, out_shape=shape, resampling=resampling
            )
        self.dataset.write(values, window=to_rasterio(window))
        return values

    def picked(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[Any]:
        """Read some rows and columns, rising."""
        window = Window.between((rows[0], rows[-1] + 1), (cols[0], cols[-1] + 1))
        values = self.dataset.read(window=to_rasterio(window))
        picked: NDArray[Any] = values[:, (rows - rows[0])[:, None], cols - cols[0]]
        return picked


def _nearest(span: tuple[int, int], ratio: float) -> NDArray[np.int64]:
    """Give the finer pixels that GDAL takes for those of an overview."""
    return (np.arange(*span) * ratio + 0.5).astype(np.int64)


@contextmanager
def growing_raster(
    layer: Layer,
    geobox: GeoBox,
    target: Path,
    tags: Mapping[str, str],
    scratch: Path,
) -> Iterator[GrowingRaster]:
    """Begin a layer of nodata everywhere; what it grows from is removed at the end.

    Args:
        layer: What to write.
        geobox: The output plane.
        target: The file to write, for now.
        tags: GDAL metadata of the file.
        scratch: A folder for rasters of its pixels uncompressed.

    """
    raster = scratch / f"{layer.path.name}.parts.tif"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with rasterio.open(
            raster, "w", **_profile(layer, geobox, geobox.height, geobox.width)
        ):
            pass
        begin_cog(layer.described(raster, tags), target, layer.compression)
        tiles = raster.with_name(f"{raster.name}.tiles")
        with ExitStack() as pixels, tiles.open("w+b", buffering=0) as kept:
            yield GrowingRaster(layer, geobox, target, raster, pixels, kept)
    finally:
        for leftover in scratch.glob(f"{raster.name}*"):
            leftover.unlink()


class GrowingRaster:
    """A layer that grows from its first row to its last: see `growing_raster`."""

    def __init__(
        self,
        layer: Layer,
        geobox: GeoBox,
        target: Path,
        raster: Path,
        pixels: ExitStack,
        kept: BinaryIO,
    ) -> None:
        """Open the raster of all pixels, and make those of the overviews beside it.

        Args:
            layer: What to write.
            geobox: The output plane.
            target: The file that was begun.
            raster: The raster of nodata.
            pixels: What closes such rasters.
            kept: A file for compressed tiles.

        """
        self._layer, self._geobox, self._target = layer, geobox, target
        self._resampling = Resampling[layer.overviews]
        self._pixels, self._levels = pixels, list[_Level]()
        finer = None
        for number, shape in enumerate(shapes_of(target)):
            path = raster.with_name(f"{raster.name}.{number}.tif") if number else raster
            new = _profile(layer, geobox, *shape) if number else {}
            dataset = rasterio.open(path, "w+" if number else "r+", **new)
            pixels.callback(dataset.close)  # in whatever thread
            finer = _Level(dataset, Tiles(kept, shape), finer)
            self._levels.append(finer)

    def put(self, window: Window, values: NDArray[Any]) -> None:
        """Put a part where it belongs.

        Raises:
            GridError: It reaches outside the plane.
            ShapeError: It has not the layer's dtype or its window's shape.

        """
        planes = values.reshape(-1, *values.shape[-2:])
        check_inside(self._geobox, window)
        layer, shape = self._layer, (window.height, window.width)
        if planes.dtype != layer.dtype or planes.shape != (layer.count, *shape):
            raise ShapeError(
                f"the part at {window} needs a {layer.dtype} array of shape "
                f"{(layer.count, *shape)}, got {planes.dtype} {planes.shape}"
            )
        self._levels[0].dataset.write(planes, window=to_rasterio(window))

    def advance(self, rows: int) -> None:
        """Compress what is new of so many rows that are final, on all levels."""
        for level in self._levels:
            rows = level.known(rows)
            if rows > level.done:
                self._compress(level, rows)
            rows = level.done

    def finish(self) -> None:
        """Compress what is left, complete the product, and read it back.

        Its pixels have gone by then: a disk holds them once.
        """
        self.advance(self._geobox.height)
        self._pixels.close()
        for level in self._levels:
            Path(level.dataset.name).unlink()
        tiles = [level.tiles for level in self._levels]
        complete_cog(self._target, tiles)
        check_cog(self._target, tiles)
        self._layer.sign(self._target)

    def _compress(self, level: _Level, rows: int) -> None:
        new = Window(level.done, 0, rows - level.done, level.width)

        def read() -> Iterator[tuple[Window, NDArray[Any]]]:
            for window in squares(new):
                yield window, level.read(window, self._resampling)

        def compress(square: tuple[Window, NDArray[Any]]) -> list[CompressedTile]:
            return compressed(square[1], self._layer.compression)

        threads = os.cpu_count() or 1
        for (window, values), tiles in read_ahead(compress, read(), threads):
            if level is self._levels[0]:
                self._layer.on_square(window, values)
            level.tiles.put(window, tiles)
        level.done = rows


def _profile(layer: Layer, geobox: GeoBox, height: int, width: int) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "dtype": layer.dtype,
        "count": layer.count,
        "height": height,
        "width": width,
        "transform": geobox.transform,
        "crs": CRS.from_wkt(geobox.crs.to_wkt()),
        "nodata": layer.nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "sparse_ok": True,  # blocks that no part touches take no space
        "bigtiff": "IF_SAFER",
    }
