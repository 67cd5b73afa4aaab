"""What pixels a model learned from, and how unlike them another pixel is.

Meyer and Pebesma (2021), Predicting into unknown space? Estimating the area of
applicability of spatial prediction models, Methods in Ecology and Evolution 12: the
*dissimilarity index* of a pixel is its distance to the nearest training pixel, in
standardised bands weighted by their importance, divided by the mean distance between
training pixels. Where it is above what training pixels have to those of other folds,
figures of cross-validation say nothing.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from geoseg.errors import ModelError
from geoseg.models.package.files import inside
from geoseg.models.package.nearest import Nearest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.package.package import ModelPackage

VECTORS = "training_vectors.safetensors"
"""The file of a package that holds them."""
_AT_ONCE = 8192
"""Pixels that a thread compares at once: they stay in its cache."""


@dataclass(frozen=True, eq=False)  # without slots: what finds the nearest is kept
class TrainingVectors:
    """Training pixels of a model; arrays of float32."""

    vectors: NDArray[np.float32]
    """Standardised and weighted bands of each pixel, shape ``(pixel, band)``."""
    mean: NDArray[np.float32]
    """Of each band's raw pixels."""
    gain: NDArray[np.float32]
    """The weight of each band over its standard deviation."""
    spread: float
    """The mean distance between two of them."""
    threshold: float
    """The greatest dissimilarity index that is no outlier among theirs."""

    def scaled(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Standardise and weight raw pixels, shape ``(band, ...)``."""
        shape = (-1, *(1 for _ in pixels.shape[1:]))
        mean, gain = self.mean.reshape(shape), self.gain.reshape(shape)
        return (pixels.astype(np.float64) - mean) * gain

    def dissimilarity(self, pixels: NDArray[np.generic]) -> NDArray[np.float64]:
        """Give the dissimilarity index of raw pixels, in units of the threshold.

        Args:
            pixels: The model's bands, in its order and unit, shape ``(band, pixel)``.

        Returns:
            Shape ``(pixel,)``; above 1 the model has no business. The same for a pixel
            whatever stands beside it.

        """
        nearest = self._nearest
        index = np.empty(pixels.shape[1])

        def fill(begin: int) -> None:
            part = slice(begin, begin + _AT_ONCE)
            index[part] = nearest.distances(self.scaled(pixels[:, part]).T)

        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            deque(threads.map(fill, range(0, len(index), _AT_ONCE)), maxlen=0)
        return index / (self.spread * self.threshold)

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self.vectors)

    def save(self, folder: Path) -> None:
        """Write the file into a package's folder."""
        one = np.array([self.spread, self.threshold])
        tensors = {"vectors": self.vectors, "mean": self.mean, "gain": self.gain}
        save_file({**tensors, "spread, threshold": one}, folder / VECTORS)


def has_vectors(package: ModelPackage) -> bool:
    """Return whether a package remembers what it learned from."""
    return (package.path / VECTORS).exists()


def load_vectors(package: ModelPackage) -> TrainingVectors:
    """Read the training vectors of a package.

    Raises:
        ModelError: It has none, or others than of its bands.

    """
    if not has_vectors(package):
        raise ModelError(
            f"the model {package.name} does not say what pixels it learned from, so "
            f"that nobody can say where it applies; train it with this version of "
            f"geoseg, or leave out `applicability`"
        )
    path = inside(package.path, VECTORS)
    try:
        tensors = load_file(path)
        spread, threshold = map(float, tensors.pop("spread, threshold"))
        arrays = {name: each.astype(np.float32) for name, each in tensors.items()}
        found = TrainingVectors(spread=spread, threshold=threshold, **arrays)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged ({error}); train the model anew"
        ) from error
    count = len(package.bands)
    shapes = found.vectors.shape[1:], found.mean.shape, found.gain.shape
    whole = all(np.isfinite(each).all() for each in (found.vectors, found.gain))
    if set(shapes) != {(count,)} or not (whole and found.spread * found.threshold > 0):
        raise ModelError(
            f"{path} is of another model than one of {count} bands; train it anew"
        )
    return found
