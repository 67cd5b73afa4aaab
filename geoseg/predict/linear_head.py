"""Scores of single pixels by weights of their bands, from pixels as they are stored.

Each number is read once, a row of a band at a time, and added to the scores of its
pixel, whose order of additions is that of the bands wherever a tile begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.embeddings import ALPHAEARTH_ONE
from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """Weights of raw pixels, float64."""

    weight: NDArray[np.float64]
    """What each band is multiplied with, shape ``(class, band)``."""
    bias: NDArray[np.float64]
    """What is then added, shape ``(class,)``."""
    unseen: NDArray[np.float64]
    """The scores of a pixel without data, that of each band's mean, ``(class,)``."""

    def scores(
        self,
        pixels: NDArray[np.generic],
        valid: NDArray[np.bool_],
        bands: tuple[int, ...],
        *,
        stored: bool,
    ) -> NDArray[np.float32]:
        """Give the scores of a batch of tiles.

        Args:
            pixels: Raw, shape ``(tile, band, y, x)``.
            valid: True where a pixel has data, shape ``(tile, y, x)``.
            bands: For each band of the weights the index of its pixels.
            stored: Whether pixels are AlphaEarth's numbers, which stand for others.

        Returns:
            Float32, shape ``(tile, class, y, x)``.

        """
        if bands != tuple(range(pixels.shape[1])):
            pixels = pixels[:, list(bands)]
        tiles, _, *sides = pixels.shape
        scores = np.empty((tiles, len(self.bias), *sides), np.float32)
        scores[:] = self.bias[:, np.newaxis, np.newaxis]
        weight = self.weight / ALPHAEARTH_ONE if stored else self.weight
        _add_bands(
            np.ascontiguousarray(pixels), weight.astype(np.float32), stored, scores
        )
        if not valid.all():
            scores.transpose(0, 2, 3, 1)[~valid] = self.unseen
        return scores


@kernel
def _add_bands(
    pixels: NDArray[np.generic],
    weight: NDArray[np.float32],
    stored: bool,  # noqa: FBT001  # a kernel's arguments have no names
    scores: NDArray[np.float32],
) -> None:
    """Add weighted bands to scores; those of a row stay in the cache meanwhile."""
    line = np.empty(pixels.shape[3], np.float32)
    for tile in range(pixels.shape[0]):
        for row in range(pixels.shape[2]):
            for band in range(pixels.shape[1]):
                _take(pixels[tile, band, row], stored, line)
                for channel in range(weight.shape[0]):
                    _add(weight[channel, band], line, scores[tile, channel, row])


@kernel
def _take(
    numbers: NDArray[np.generic],
    stored: bool,  # noqa: FBT001  # see above
    line: NDArray[np.float32],
) -> None:
    for col in range(len(line)):
        line[col] = np.float32(numbers[col])
    if stored:
        for col in range(len(line)):
            line[col] *= abs(line[col])


@kernel
def _add(
    weight: np.float32, line: NDArray[np.float32], total: NDArray[np.float32]
) -> None:
    for col in range(len(line)):
        total[col] += weight * line[col]
