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

from geoseg.geo.legend import NODATA, UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 10
"""Bins of ten percent: confidences are whole percents, so that finer ones would not
hold the same number of values each."""
_LEVELS = 101


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often the map is right at each confidence, class by class of the map.

    Pooled over the classes, one that claims too much and one that claims too little
    make up for each other: the figures of each class do not.
    """

    pixels: NDArray[np.int64]
    """Compared pixels of each class of the map at each confidence of 0 to 100 percent,
    shape ``(class, 101)``."""
    right: NDArray[np.int64]
    """Those whose class is that of the reference, of the same shape."""

    def __add__(self, other: Calibration) -> Calibration:
        """Pool the counts of two parts of one map."""
        return Calibration(self.pixels + other.pixels, self.right + other.right)

    @property
    def bins(self) -> list[ReliabilityBin]:
        """The bins that hold a pixel, rising; each takes its upper limit in."""
        return _bins(self.pixels.sum(axis=0), self.right.sum(axis=0))

    @property
    def expected_error(self) -> float:
        """The expected calibration error, 0 to 1; NaN without a pixel."""
        return _expected_error(self.bins)

    @property
    def expected_errors(self) -> NDArray[np.float64]:
        """The expected calibration error of each class of the map."""
        rows = zip(self.pixels, self.right, strict=True)
        return np.array([_expected_error(_bins(*row)) for row in rows])

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The mean confidence of each class of the map, 0 to 1; NaN without a pixel."""
        total = (self.pixels * np.arange(_LEVELS) / 100).sum(axis=1)
        return self._share(total)

    @property
    def excess(self) -> NDArray[np.float64]:
        """Mean confidence less the share that is right; above 0 a class is too sure."""
        return self.confidence - self._share(self.right.sum(axis=1))

    def _share(self, part: NDArray[np.generic]) -> NDArray[np.float64]:
        whole = self.pixels.sum(axis=1)
        share = np.full(len(whole), np.nan)
        np.divide(part, whole, out=share, where=whole > 0)
        return share


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


def _bins(pixels: NDArray[np.int64], right: NDArray[np.int64]) -> list[ReliabilityBin]:
    """Put counts at each confidence, shape ``(101,)``, into bins."""
    levels = np.arange(_LEVELS)
    # 0 belongs to the first bin, (0, 10].
    of_level = np.maximum(np.ceil(levels * _BINS / 100).astype(int) - 1, 0)
    sums = [
        np.bincount(of_level, weights=each, minlength=_BINS)
        for each in (pixels, right, pixels * levels / 100)
    ]
    return [
        ReliabilityBin(index / _BINS, (index + 1) / _BINS, int(n), sure / n, hit / n)
        for index, (n, hit, sure) in enumerate(zip(*sums, strict=True))
        if n
    ]


def _expected_error(bins: list[ReliabilityBin]) -> float:
    total = sum(each.pixels for each in bins)
    if not total:
        return float("nan")
    gaps = (b.pixels * abs(b.accuracy - b.confidence) for b in bins)
    return float(sum(gaps) / total)


def count_confidences(
    reference: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    confidence: NDArray[np.uint8],
    ids: tuple[int, ...],
) -> Calibration:
    """Count, at each confidence, the compared pixels and those that are right.

    Pixels without a class on either side, of the class "unknown" (it says no more
    than that the confidence was low) or without a confidence do not count.

    Args:
        reference: True class ids, any shape; 255 is unlabelled.
        predicted: The map's class ids, the same shape.
        confidence: Percent, 0 to 100; 255 is none.
        ids: The map's classes, rising, in the order of the counts.

    """
    asked = (reference != NODATA) & (predicted != NODATA) & (predicted != UNKNOWN)
    asked &= confidence < _LEVELS
    right = reference[asked] == predicted[asked]
    channel = np.searchsorted(np.array(ids, np.uint8), predicted[asked])
    cell = channel * _LEVELS + confidence[asked].astype(np.int64)
    pixels, hits = (
        np.bincount(each, minlength=len(ids) * _LEVELS).reshape(-1, _LEVELS)
        for each in (cell, cell[right])
    )
    return Calibration(pixels, hits)
