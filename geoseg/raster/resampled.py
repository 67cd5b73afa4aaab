"""A class raster of any grid, asked at the centres of another plane's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pyproj import CRS

    from geoseg.geo.geobox import GeoBox
    from geoseg.raster.read import ClassMap

_SIDE = 1024
"""Side of what is asked at a time, in pixels of whichever of the grids is finer."""


@dataclass(frozen=True, slots=True)
class ResampledMap:
    """A class raster on the pixels of a plane: each takes that at its centre."""

    source: ClassMap
    """The raster."""
    geobox: GeoBox
    """The plane."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Give the raster's id at each pixel of a window, ``(y, x)``; 255 is none."""
        ids = np.full((window.height, window.width), NODATA, np.uint8)
        for part in self._parts(window):
            ids[part.relative_to(window).slices()] = self._read(part)
        return ids

    def _parts(self, window: Window) -> Iterator[Window]:
        """Cut a window so that what is read of a finer raster stays small."""
        finer = self.geobox.gsd_m() / self.source.geobox.gsd_m()
        side = max(1, int(_SIDE / max(1.0, finer)))
        for row in range(*window.rows, side):
            for col in range(*window.cols, side):
                height, width = window.rows[1] - row, window.cols[1] - col
                yield Window(row, col, min(side, height), min(side, width))

    def _read(self, window: Window) -> NDArray[np.uint8]:
        rows, cols = self._pixels(window)
        there = are_on(self.source.geobox, rows, cols)
        ids = np.full(there.shape, NODATA, np.uint8)
        if there.any():
            rows, cols = rows[there], cols[there]
            part = Window.between(
                (int(rows.min()), int(rows.max()) + 1),
                (int(cols.min()), int(cols.max()) + 1),
            )
            ids[there] = self.source.read(part)[rows - part.row, cols - part.col]
        return ids

    def _pixels(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the raster's pixels at the centres of a window's, shape ``(y, x)``."""
        col, row = np.meshgrid(
            np.arange(window.width) + window.col + 0.5,
            np.arange(window.height) + window.row + 0.5,
        )
        x, y = coordinates(self.geobox, row, col)
        return pixels_at(self.source.geobox, x, y, self.geobox.crs)


def coordinates(
    geobox: GeoBox, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Locate fractional rows and columns of a plane: (x, y) in its CRS."""
    t = geobox.transform
    return t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f


def pixels_at(
    geobox: GeoBox, x: NDArray[np.float64], y: NDArray[np.float64], crs: CRS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the pixels (rows, columns) of a plane in which points lie; -1 if nowhere."""
    if crs != geobox.crs:
        x, y = Transformer.from_crs(crs, geobox.crs, always_xy=True).transform(x, y)
    t = ~geobox.transform
    # The origin is subtracted first: centres of the plane's own pixels stay centres.
    right, up = x - geobox.transform.c, y - geobox.transform.f
    with np.errstate(invalid="ignore"):  # infinite where the CRS has no such point
        col, row = t.a * right + t.b * up, t.d * right + t.e * up
    on_earth = np.isfinite(col) & np.isfinite(row)
    rows, cols = (
        np.floor(np.where(on_earth, each, -1).clip(-1, 2**40)).astype(np.int64)
        for each in (row, col)
    )
    return rows, cols


def are_on(
    geobox: GeoBox, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which pixels a plane has."""
    there: NDArray[np.bool_] = (
        (rows >= 0) & (rows < geobox.height) & (cols >= 0) & (cols < geobox.width)
    )
    return there
