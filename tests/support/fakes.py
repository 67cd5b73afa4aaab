"""Stand-ins with known answers: a source in memory, models that need no weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from affine import Affine
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window

OFF_GRID = Affine(10, 0, 300_005, 0, -10, 5_900_005)
"""A plane of 10 m pixels whose origin is no multiple of 10 m."""
CPU = torch.device("cpu")


@dataclass
class ArraySource:
    """An array as a scene; it refuses to be read outside itself."""

    values: np.ndarray
    valid: np.ndarray
    transform: Affine = OFF_GRID

    @property
    def geobox(self) -> GeoBox:
        height, width = self.valid.shape
        return GeoBox(height, width, self.transform, CRS.from_epsg(32633))

    def check_unchanged(self, _: Window) -> None:
        """An array in memory stays as it is."""

    def check(self) -> None:
        """An array is wherever it is sent."""

    def read(self, window: Window, bands: tuple[int, ...]):
        height, width = self.valid.shape
        assert Window(0, 0, height, width).contains(window)
        part = window.slices()
        return self.values[(list(bands), *part)].copy(), self.valid[part].copy()


@dataclass
class ArrayArea:
    """A boolean array as an area of interest."""

    inside: np.ndarray

    def mask(self, window: Window):
        return self.inside[window.slices()].copy()

    def touches(self, window: Window) -> bool:
        height, width = self.inside.shape
        seen = window.intersection(Window(0, 0, height, width))
        return seen is not None and bool(self.inside[seen.slices()].any())

    @property
    def window(self) -> Window:
        rows, cols = np.nonzero(self.inside)
        return Window.between(
            (int(rows.min()), int(rows.max()) + 1),
            (int(cols.min()), int(cols.max()) + 1),
        )


@dataclass
class ContextPredictor:
    """A model whose answer depends on the pixel and on the whole tile around it.

    So a tile that is shifted, filled otherwise or weighted otherwise shows.
    """

    planes: int = 3
    bands: tuple[int, ...] = (0, 1)
    batch: int = 2
    device: torch.device = CPU
    streams: int = 2
    threads: int = 1

    def check(self) -> None:
        """It is wherever it is sent."""

    def logits(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Float64 logits ``(class, y, x)`` of a tile ``(band, y, x)``."""
        filled = np.where(valid, values.astype(np.float64), 0.5)
        ramp = np.linspace(-1, 1, filled.shape[-1])
        context = filled.mean() + 0.3 * filled[0] * ramp
        return np.stack(
            [
                3 * np.sin((k + 1) * filled[0] * 5 + context) + k * filled[-1]
                for k in range(self.planes)
            ]
        )

    def __call__(self, pixels: np.ndarray, valid: np.ndarray) -> torch.Tensor:
        tiles = [self.logits(*tile) for tile in zip(pixels, valid, strict=True)]
        return torch.from_numpy(np.stack(tiles)).softmax(dim=1).to(torch.float32)
