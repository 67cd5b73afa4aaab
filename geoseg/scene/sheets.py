"""A sheet: what covers one piece of ground once, as a member of a scene.

Most sheets are one file. A sheet whose bands come in files of their own has one
*layer* for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.grid import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.scene.raster import Raster

Read = tuple["NDArray[np.generic]", "NDArray[np.bool_]"]
"""Pixels ``(band, y, x)`` and where each band has data, of the same shape."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A file, laid on a scene's pixels."""

    raster: Raster
    """The file."""
    row: int
    """The scene's row of its first pixel."""
    col: int
    """The scene's column of its first pixel."""

    @property
    def window(self) -> Window:
        """The scene's pixels that it covers."""
        plane = self.raster.georef
        return Window(self.row, self.col, plane.height, plane.width)

    def read(self, window: Window, bands: Sequence[int]) -> Read:
        """Read a window of the scene that lies inside the layer."""
        pixels, data = self.raster.read(window.relative_to(self.window), bands)
        return pixels, np.broadcast_to(data, pixels.shape)

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window of the scene that lies inside the layer."""
        return self.raster.picture(window.relative_to(self.window), bands, shape)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A member of a scene."""

    layers: tuple[Layer, ...]
    """Its files."""
    bands: tuple[tuple[int, int], ...]
    """For each band of the scene, the layer and the band in it, both from 0."""
    window: Window
    """The scene's pixels that all of its layers cover."""

    @property
    def name(self) -> str:
        """What people call it: its first file."""
        return self.layers[0].raster.name

    def read(self, window: Window, bands: Sequence[int], dtype: str) -> Read:
        """Read a window of the scene that lies inside the sheet.

        Args:
            window: In pixels of the scene.
            bands: Which of the scene's bands, counted from 0.
            dtype: The scene's.

        Raises:
            SceneError: A file cannot be read there.

        """
        places = [self.bands[band] for band in bands]
        used = sorted({layer for layer, _ in places})
        if len(used) == 1:
            read = self.layers[used[0]].read(window, [band for _, band in places])
            return read[0].astype(dtype, copy=False), read[1]
        shape = (len(bands), window.height, window.width)
        pixels, data = np.empty(shape, dtype), np.empty(shape, np.bool_)
        for layer in used:
            at = [i for i, place in enumerate(places) if place[0] == layer]
            wanted = [places[i][1] for i in at]
            pixels[at], data[at] = self.layers[layer].read(window, wanted)
        return pixels, data

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window of the scene that lies inside the sheet.

        Returns:
            Averages, shape ``(band, *shape)``, masked where there is no data.

        """
        whole = blank_picture(len(bands), shape)
        places = [self.bands[band] for band in bands]
        for layer in sorted({layer for layer, _ in places}):
            at = [i for i, place in enumerate(places) if place[0] == layer]
            wanted = [places[i][1] for i in at]
            whole[at] = self.layers[layer].picture(window, wanted, shape)
        return whole


def blank_picture(bands: int, shape: tuple[int, int]) -> np.ma.MaskedArray:
    """Make a picture (band, y, x) on which nothing is shown yet."""
    empty = np.zeros((bands, *shape), np.float32)
    return np.ma.MaskedArray(empty, mask=np.ones(empty.shape, np.bool_))
