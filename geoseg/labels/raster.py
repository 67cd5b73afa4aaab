"""A class raster as labels, found at the pixels of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geoseg.classes import NODATA
from geoseg.errors import LabelsError
from geoseg.grid import Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.georef import Georef


@dataclass(frozen=True, slots=True)
class LabelRaster:
    """A raster each of whose values is a class, named by the number."""

    path: Path
    """The raster's file."""
    names: tuple[str, ...]
    """The values that occur, as text."""
    warnings: tuple[str, ...] = ()
    """What the user should know, a sentence each."""

    def burn(self, georef: Georef, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give each pixel the value of the class at the nearest pixel of the raster.

        Args:
            georef: The pixel plane wanted.
            values: The value of each class; others are left out.

        Returns:
            Shape ``(height, width)`` of the plane; 255 where there is no class.

        Raises:
            LabelsError: No labelled pixel lies on the plane.

        """
        placed = self.place(georef, values)
        burnt = placed.read(Window(0, 0, georef.height, georef.width))
        if (burnt == NODATA).all():
            raise LabelsError(
                f"no labelled pixel of {self.path} lies in the scene, which covers "
                f"{georef.bounds} (left, bottom, right, top in the scene's CRS)"
            )
        return burnt

    def place(self, georef: Georef, values: Mapping[str, int]) -> PlacedRaster:
        """Lay the raster on a plane, to be read window by window."""
        table = {int(name): values[name] for name in self.names if name in values}
        return PlacedRaster(self.path, georef, table)


@dataclass(frozen=True, slots=True)
class PlacedRaster:
    """A class raster on the pixels of a plane."""

    path: Path
    """The raster's file."""
    georef: Georef
    """The plane."""
    table: Mapping[int, int]
    """What each value of the raster becomes; others become 255."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Find the classes of a window of the plane; 255 where there is none."""
        where = RasterioWindow(window.col, window.row, window.width, window.height)
        with (
            rasterio.open(self.path) as dataset,
            WarpedVRT(
                dataset,
                crs=self.georef.crs.to_wkt(),
                transform=self.georef.transform,
                width=self.georef.width,
                height=self.georef.height,
                resampling=Resampling.nearest,
                tolerance=1e-6,  # of a pixel: its class is the same in any window
                add_alpha=dataset.nodata is None,
            ) as warped,
        ):
            found = warped.read(1, window=where)
            there = warped.dataset_mask(window=where) > 0
        burnt = np.full(found.shape, NODATA, np.uint8)
        for value, becomes in self.table.items():
            burnt[there & (found == value)] = becomes
        return burnt
