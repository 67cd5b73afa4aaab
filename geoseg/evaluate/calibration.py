"""Whether confidences are what they say: reliability and the expected error.

The expected calibration error of Naeini, Cooper and Hauskrecht (2015), Obtaining well
calibrated probabilities using Bayesian binning, AAAI, as Guo et al. (2017), On
calibration of modern neural networks, ICML, use it for a network's best class: pixels
are put in bins of equal width by their confidence, and in each bin the mean confidence
is compared with the share of pixels that are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.classes import NODATA, UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 10
"""Bins of ten percent: confidences are whole percents, so that finer ones would not
hold the same number of values each."""
_LEVELS = 101


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often the map is right at each confidence."""

    pixels: NDArray[np.int64]
    """Compared pixels at each confidence of 0 to 100 percent, shape ``(101,)``."""
    right: NDArray[np.int64]
    """Those whose class is that of the reference, shape ``(101,)``."""

    def __add__(self, other: Calibration) -> Calibration:
        """Pool the counts of two parts of one map."""
        return Calibration(self.pixels + other.pixels, self.right + other.right)

    @property
    def bins(self) -> list[ReliabilityBin]:
        """The bins that hold a pixel, rising; each takes its upper limit in."""
        levels = np.arange(_LEVELS)
        # 0 belongs to the first bin, (0, 10].
        of_level = np.maximum(np.ceil(levels * _BINS / 100).astype(int) - 1, 0)
        sums = [
            np.bincount(of_level, weights=each, minlength=_BINS)
            for each in (self.pixels, self.right, self.pixels * levels / 100)
        ]
        return [
            ReliabilityBin(
                index / _BINS, (index + 1) / _BINS, int(n), sure / n, hit / n
            )
            for index, (n, hit, sure) in enumerate(zip(*sums, strict=True))
            if n
        ]

    @property
    def expected_error(self) -> float:
        """The expected calibration error, 0 to 1; NaN without a pixel."""
        total = self.pixels.sum()
        if not total:
            return float("nan")
        gaps = (b.pixels * abs(b.accuracy - b.confidence) for b in self.bins)
        return float(sum(gaps) / total)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pixels of like confidence."""

    low: float
    """The confidence above which the bin begins, 0 to 1."""
    high: float
    """The highest confidence in it."""
    pixels: int
    """How many there are."""
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


def count_confidences(
    reference: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
) -> Calibration:
    """Count, at each confidence, the compared pixels and those that are right.

    Pixels without a class on either side, of the class "unknown" (it says no more
    than that the confidence was low) or without a confidence do not count.

    Args:
        reference: True class ids, any shape; 255 is unlabelled.
        predicted: The map's class ids, the same shape.
        confidence: Percent, 0 to 100; 255 is none.

    """
    asked = (reference != NODATA) & (predicted != NODATA) & (predicted != UNKNOWN)
    asked &= confidence < _LEVELS
    right = reference[asked] == predicted[asked]
    level = confidence[asked].astype(np.int64)
    return Calibration(
        np.bincount(level, minlength=_LEVELS),
        np.bincount(level[right], minlength=_LEVELS),
    )
