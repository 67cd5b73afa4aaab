"""A scene at the resolution of its finest picture, read once for all pictures of it.

A scene without overviews is read as a whole for a picture of any size, which costs more
than all else that a picture takes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.windows import Window
from geoseg.raster.extents import squares
from geoseg.report.imagery import shown_of
from geoseg.storage.prefetch import read_ahead
from geoseg.storage.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.report.imagery import Image
    from geoseg.report.pyramid import Level
    from geoseg.storage.spool import Spooled

_AT_ONCE = 6_000_000
"""Values that are held at a time."""
_SQUARE, _FEWEST = 1024, 32
"""Rows and columns of a scene that are read at a time, but not fewer of its overview:
GDAL's cache holds what they touch, beside the blocks that others read."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Some bands of a part of a scene, averaged, in a file without a name.

    It is shown as the scene is, at its own resolution or a coarser one.
    """

    geobox: GeoBox
    """The plane of that part, in the scene's pixels."""
    level: Level
    """How fine it is."""
    bands: tuple[int, ...]
    """Which bands of the scene, counted from 0, each once."""
    pixels: Spooled
    """Their averages as float32, shape ``(band, y, x)``; NaN where there is no data."""

    @classmethod
    def of(
        cls,
        scene: Image,
        bands: Sequence[int],
        plane: GeoBox,
        level: Level,
        folder: Path,
    ) -> Overview:
        """Read a part of a scene, a square at a time.

        Args:
            scene: The image.
            bands: Which of its bands, counted from 0.
            plane: The part, on pixels of the scene.
            level: How fine.
            folder: Where the file without a name is.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        found = tuple(sorted(set(bands)))
        pixels = Spool(folder).array((len(found), level.height, level.width), "f4")

        def read(square: Window) -> NDArray[np.float32]:
            ground = level.ground(square, plane.height, plane.width)
            shape = square.height, square.width
            shown = shown_of(scene, found, plane, ground, shape)
            return np.ma.filled(shown.astype(np.float32, copy=False), np.nan)

        whole = Window(0, 0, level.height, level.width)
        wanted = squares(whole, max(_SQUARE // level.factor, _FEWEST))
        seen = read_ahead(read, wanted, os.cpu_count() or 1)
        for top, row in groupby(seen, key=lambda square: square[0].row):
            pixels.put(top, np.concatenate([values for _, values in row], axis=2))
        return cls(plane, level, found, pixels)

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Show bands of a window at so many rows and columns, ``(band, y, x)``.

        Args:
            window: In pixels of `geobox`.
            bands: Of the scene, among those that were read.
            shape: Not finer than what was read.

        """
        factor = self.level.factor
        rows, cols = (
            _edges(start // factor, -(-stop // factor), parts)
            for (start, stop), parts in zip(
                (window.rows, window.cols), shape, strict=True
            )
        )
        places = [self.bands.index(band) for band in bands]
        shown = np.empty((len(bands), *shape), np.float32)
        values = len(self.bands) * (rows[-1] - rows[0]) * (cols[-1] - cols[0])
        step = max(1, shape[0] * _AT_ONCE // values)
        for top in range(0, shape[0], step):
            some = rows[top : top + step + 1]
            seen = self.pixels[:, some[0] : some[-1], cols[0] : cols[-1]]
            shown[:, top : top + step] = _averages(seen, some, cols)[places]
        return np.ma.masked_invalid(shown, copy=False)


def _edges(start: int, stop: int, parts: int) -> NDArray[np.int64]:
    """Cut a range into parts of one length, the last of which may be cut, or nearly."""
    return stop - np.arange(parts, -1, -1) * (stop - start) // parts


def _averages(
    pixels: NDArray[np.float32], rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Average the pixels (band, y, x) between edges, as far as there are any."""
    if pixels.shape[1:] == (len(rows) - 1, len(cols) - 1):
        return pixels
    valid = ~np.isnan(pixels)
    sums, counts = (
        np.add.reduceat(
            np.add.reduceat(each, rows[:-1] - rows[0], axis=1, dtype=np.float64),
            cols[:-1] - cols[0],
            axis=2,
        )
        for each in (np.where(valid, pixels, 0), valid)
    )
    missing = np.full_like(sums, np.nan)
    return np.divide(sums, counts, out=missing, where=counts > 0).astype(np.float32)
