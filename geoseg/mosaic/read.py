"""A written map, window by window."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioError

from geoseg.errors import SceneError
from geoseg.georef import Georef
from geoseg.mosaic.legend import LEGEND_TAG, legend_from_json
from geoseg.mosaic.windows import check_inside, to_rasterio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geoseg.classes import Legend
    from geoseg.grid import Window

_CACHE_MB = 64
"""GDAL's block cache while a whole map is read; no block is needed twice."""


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
        check_inside(self.georef, window)
        with _opened(self.path) as dataset:
            values: NDArray[np.uint8] = dataset.read(1, window=to_rasterio(window))
        return values

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
def _opened(path: Path) -> Iterator[DatasetReader]:
    try:
        with rasterio.open(path) as dataset:
            yield dataset
    except RasterioError as error:
        raise SceneError(f"cannot read the map {path}: {error}") from error
