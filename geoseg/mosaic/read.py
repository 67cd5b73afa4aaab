"""A written map, window by window."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioError

from geoseg.classes import NODATA
from geoseg.errors import SceneError
from geoseg.georef import Georef
from geoseg.grid import Window
from geoseg.mosaic.legend import LEGEND_TAG, legend_from_json
from geoseg.mosaic.windows import check_inside, to_rasterio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geoseg.classes import Legend

_CACHE = 64 << 20
"""Bytes of GDAL's block cache while a whole map is read; no block is needed twice."""
_SQUARE = 1024
"""Side of what is read at a time while a map is counted: whole blocks of a COG."""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A class raster on disk, whoever made it.

    Safe to share between threads and to pickle: it holds a path, and opens it
    for each read (about a millisecond).
    """

    path: Path
    """The raster's file."""
    georef: Georef
    """Its pixel plane."""
    band: int = 1
    """The band that holds the classes, counted from 1."""

    @classmethod
    def open(cls, path: Path, *, band: int | None = None) -> ClassMap:
        """Look at a class raster: whole numbers, with a CRS.

        Args:
            path: The raster's file.
            band: Its band, counted from 1; needed only where there are several.

        Raises:
            SceneError: The file is missing, no raster, or another kind of one.

        """
        if not path.exists():
            raise SceneError(f"{path} does not exist; check the map's path")
        with _opened(path) as dataset:
            chosen = _choose_band(dataset, band)
            _check_kind(dataset, chosen)
            crs = CRS.from_wkt(dataset.crs.to_wkt())
            plane = Georef(dataset.height, dataset.width, dataset.transform, crs)
        return cls(path, plane, chosen)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window of the plane, shape (y, x); 255 is nodata.

        What the raster itself declares as nodata, or masks, is read as 255.

        Raises:
            GridError: The window reaches outside the plane.
            SceneError: The file cannot be read (any more), or holds a value that
                is no class id.

        """
        check_inside(self.georef, window)
        part = to_rasterio(window)
        with _opened(self.path) as dataset:
            # Wide enough for 255 beside any class that a smaller type may hold.
            wide = None if dataset.dtypes[self.band - 1] == "uint8" else "int64"
            values = dataset.read(self.band, window=part, out_dtype=wide)
            values[dataset.read_masks(self.band, window=part) == 0] = NODATA
        if values.dtype != np.uint8 and not 0 <= values.min() <= values.max() <= NODATA:
            raise SceneError(
                f"class ids are 0 to {NODATA - 1}, but {self.path} holds values from "
                f"{values.min()} to {values.max()}; give its classes other numbers"
            )
        ids: NDArray[np.uint8] = values.astype(np.uint8, copy=False)
        return ids

    def counts(self) -> dict[int, int]:
        """Count the pixels of each value, square by square.

        Returns:
            Pixels of each value that occurs, rising by value, nodata (255) included.

        Raises:
            SceneError: The file cannot be read.

        """
        totals = np.zeros(NODATA + 1, np.int64)
        height, width = self.georef.height, self.georef.width
        corners = product(range(0, height, _SQUARE), range(0, width, _SQUARE))
        with rasterio.Env(GDAL_CACHEMAX=_CACHE):
            for row, col in corners:
                rows, cols = min(_SQUARE, height - row), min(_SQUARE, width - col)
                values = self.read(Window(row, col, rows, cols))
                totals += np.bincount(values.ravel(), minlength=NODATA + 1)
        return {int(value): int(totals[value]) for value in np.flatnonzero(totals)}

    def legend(self) -> Legend | None:
        """Read the legend that `write_class_map` left in the file; None if none.

        Raises:
            SceneError: The legend is there but damaged.

        """
        with _opened(self.path) as dataset:
            text = dataset.tags().get(LEGEND_TAG)
        try:
            return None if text is None else legend_from_json(text)
        except (TypeError, ValueError) as error:
            raise SceneError(
                f"the tag {LEGEND_TAG} of {self.path} holds no legend: {error}"
            ) from error


def class_counts(path: Path) -> dict[int, int]:
    """Count the pixels of each value of a map: see `ClassMap.counts`."""
    return ClassMap.open(path).counts()


def _choose_band(dataset: DatasetReader, band: int | None) -> int:
    if band is None and dataset.count > 1:
        raise SceneError(
            f"{dataset.name} has {dataset.count} bands; say which holds the classes "
            f"(--band 1 to {dataset.count})"
        )
    if band is not None and not 1 <= band <= dataset.count:
        raise SceneError(
            f"{dataset.name} has no band {band}; it has 1 to {dataset.count}"
        )
    return band or 1


def _check_kind(dataset: DatasetReader, band: int) -> None:
    dtype = dataset.dtypes[band - 1]
    if not np.issubdtype(np.dtype(dtype), np.integer):
        raise SceneError(
            f"{dataset.name} holds {dtype}, not whole numbers; a class raster is needed"
        )
    if dataset.crs is None:
        raise SceneError(
            f"{dataset.name} has no coordinate reference system; assign one first"
        )


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    try:
        with rasterio.open(path) as dataset:
            yield dataset
    except RasterioError as error:
        raise SceneError(f"cannot read the map {path}: {error}") from error
