"""What a package remembers of its training pixels, to find where it applies.

Terms are those of Meyer and Pebesma (2021); `geoseg.models.package.training_vectors`
applies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from geoseg.models.package.training_vectors import TrainingVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 1000
"""Training pixels that a package keeps."""
_WHISKER = 1.5
"""Of the interquartile range: what lies farther above is an outlier (Tukey 1977)."""


def kept_pixels(count: int, seed: int) -> NDArray[np.int64]:
    """Choose which of so many training pixels are kept, rising."""
    if count <= MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST, replace=False))


def training_vectors(
    pixels: NDArray[np.float32],
    folds: NDArray[np.int64],
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> TrainingVectors | None:
    """Remember training pixels, and how unlike those of other folds they are.

    Args:
        pixels: Raw bands of each, shape ``(pixel, band)``.
        folds: What is held out together has one number, shape ``(pixel,)``.
        seed: Decides which are kept, where there are more than `MOST`.
        weights: The importance of each band; all alike where None.

    Returns:
        They; None where all are alike, or in one fold: nothing follows from that.

    """
    some = kept_pixels(len(pixels), seed)
    pixels, folds = pixels[some], folds[some]
    known = pixels.astype(np.float64)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    weights = np.ones(known.shape[1]) if weights is None else weights
    gain = np.where(deviation > 0, weights / np.where(deviation > 0, deviation, 1), 0)
    vectors = ((known - mean) * gain).astype(np.float32)
    apart = cdist(vectors, vectors)
    count = len(vectors)
    spread = apart.sum() / max(count * (count - 1), 1)
    apart[folds[:, np.newaxis] == folds] = np.inf
    nearest = apart.min(axis=1)
    index = nearest[np.isfinite(nearest)] / (spread or 1)
    if not index.size or not index.max() > 0:
        return None
    low, high = np.quantile(index, [0.25, 0.75])
    threshold = index[index <= high + _WHISKER * (high - low)].max()
    return TrainingVectors(
        vectors,
        mean.astype(np.float32),
        gain.astype(np.float32),
        float(spread),
        float(threshold),
    )
