"""A written map, window by window."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
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


_VALUES = NODATA + 1
"""How many values a byte can have."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much ground something covers."""

    pixels: int
    """In pixels."""
    area_m2: float
    """In square metres."""


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
        return {value: extent.pixels for value, extent in self.extents().items()}

    def extents(self) -> dict[int, Extent]:
        """Measure how much ground each value covers, square by square.

        Returns:
            An extent for each value that occurs, rising by value, nodata (255)
            included. The area of a pixel is what it covers of the ground.

        Raises:
            SceneError: The file cannot be read.

        """
        counts, areas = np.zeros(_VALUES, np.int64), np.zeros(_VALUES)
        height, width = self.georef.height, self.georef.width
        with rasterio.Env(GDAL_CACHEMAX=_CACHE):
            for row in range(0, height, _SQUARE):
                rows = min(_SQUARE, height - row)
                for col in range(0, width, _SQUARE):
                    window = Window(row, col, rows, min(_SQUARE, width - col))
                    values = self.read(window).ravel()
                    counts += np.bincount(values, minlength=_VALUES)
                    sizes = _pixel_areas(self.georef, window).ravel()
                    areas += np.bincount(values, sizes, _VALUES)
        return {
            int(value): Extent(int(counts[value]), float(areas[value]))
            for value in np.flatnonzero(counts)
        }

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


def class_extents(path: Path) -> dict[int, Extent]:
    """Measure how much ground each value of a map covers: see `ClassMap.extents`."""
    return ClassMap.open(path).extents()


def _pixel_areas(georef: Georef, window: Window) -> NDArray[np.float64]:
    """Give the area of each pixel of a window on the ground, in square metres.

    A square of pixels is asked about at its own nodes: in degrees and on Mercator's
    maps pixels shrink towards the poles, in other CRSs to all sides.
    """
    field = georef.crop(window).ground_field()
    cols = np.arange(window.width, dtype=np.float64) + 0.5
    rows = np.arange(window.height, dtype=np.float64) + 0.5
    return field.grid_areas(cols, rows)


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
    if dataset.transform.is_identity:
        raise SceneError(
            f"{dataset.name} has no geotransform, so its pixels have no place on "
            f"Earth; give it one, for instance: gdal_edit.py -a_srs EPSG:32633 -a_ullr "
            f"LEFT TOP RIGHT BOTTOM {dataset.name}"
        )
    if dataset.crs is None:
        raise SceneError(
            f"{dataset.name} has no coordinate reference system; assign one, for "
            f"instance: rio edit-info --crs EPSG:32633 {dataset.name}"
        )


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    try:
        with rasterio.open(path) as dataset:
            yield dataset
    except RasterioError as error:
        raise SceneError(f"cannot read the map {path}: {error}") from error
