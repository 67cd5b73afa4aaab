"""Counts of pixels that add up to the same figures in whatever order they come.

A scene's mean must not depend on how it was cut, or on which thread was first. Sums of
floats do. So pixels are taken as float32, which is how a model gets them, and of a
float32 its whole number of 24 bits is summed, apart for each power of two: integers
have no order, and mean and deviation are rounded once, at the end.

For percentiles each value is counted by its first 16 binary digits: those of whole
numbers to 65 536 are exact, and others less than 1/32 768 of their value too small.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAGES, _PAGE = 1 << 12, 1 << 12
"""A page of counts for each sign, power of two and eighth of it; counts on a page."""
_EXPONENTS = 1 << 9
"""Signs and powers of two that float32 has."""
_FEW = 16
"""Pages to begin with: most scenes need some dozens."""
_UNIT = 149
"""The smallest float32 above zero is two to the power of minus that."""
_NARROW = 2
"""Bytes of whole numbers that are counted before they are summed."""
_HIGH = 24
"""Bits of the lower part of a square."""


class Tally:
    """What the pixels of one band come to, so far."""

    def __init__(self) -> None:
        """Begin with none."""
        self.pixels = 0
        self.smallest, self.largest = math.inf, -math.inf
        self._slots = np.full(_PAGES, -1, np.int32)
        self._counts = np.zeros((_FEW, _PAGE), np.int64)
        # Python's integers, which do not overflow.
        self._sums = np.zeros((_EXPONENTS, 3), object)

    def add(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        """Count the valid ones of some pixels, of any dtype and of equal shapes."""
        values, times = _distinct(pixels[valid])
        if not len(values):
            return
        self.pixels += int(times.sum())
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))
        bits = values.astype(np.float32, copy=False).view(np.uint32)
        table, done = (self._slots, self._counts), 0
        sums = np.zeros((_EXPONENTS, 3), np.int64)
        while (done := _count(bits, times, done, *table, sums)) < len(bits):
            self._make_page(int(bits[done]) >> 20)
            table = self._slots, self._counts
        self._sums += sums.astype(object)

    def merge(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.pixels += other.pixels
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)
        self._sums += other._sums
        for page in np.flatnonzero(other._slots >= 0):
            self._make_page(int(page))
            self._counts[self._slots[page]] += other._counts[other._slots[page]]

    def _make_page(self, page: int) -> None:
        if self._slots[page] >= 0:
            return
        slot = int(self._slots.max()) + 1
        if slot == len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._slots[page] = slot

    def moments(self) -> tuple[float, float]:
        """Give mean and standard deviation, both exact but for one rounding.

        Not a number where there are no pixels.
        """
        if self.pixels == 0:
            return math.nan, math.nan
        total = squares = 0
        for exponent, (wholes, high, low) in enumerate(self._sums):
            shift = max(exponent & 0xFF, 1) - 1
            total += (-wholes if exponent >> 8 else wholes) << shift
            squares += ((high << _HIGH) + low) << 2 * shift
        variance = Fraction(self.pixels * squares - total * total, self.pixels**2)
        mean = Fraction(total, self.pixels) / (1 << _UNIT)
        return float(mean), math.sqrt(variance / (1 << 2 * _UNIT))

    def percentile(self, percent: float) -> float:
        """Give a percentile, interpolated between pixels as numpy does by default."""
        if self.pixels == 0:
            return math.nan
        values, below = self._ranked()
        rank = percent / 100 * (self.pixels - 1)
        first, last = (
            float(values[np.searchsorted(below, position, side="right") - 1])
            for position in (math.floor(rank), math.ceil(rank))
        )
        return first + (rank - math.floor(rank)) * (last - first)

    def _ranked(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Give the values that occur, rising, and how many pixels are below each."""
        pages = np.flatnonzero(self._slots >= 0)
        counts = self._counts[self._slots[pages]]
        rows, cols = np.nonzero(counts)
        bits = (pages[rows] << 20 | cols << 8).astype(np.uint32)
        values, counts = bits.view(np.float32), counts[rows, cols]
        order = np.argsort(values, kind="stable")
        ranked = counts[order]
        return values[order], np.cumsum(ranked) - ranked


def _distinct(
    values: NDArray[np.generic],
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Give values, and how often each occurs, where few can: those of 8 or 16 bits."""
    dtype = values.dtype
    if dtype.kind == "f" or dtype.itemsize > _NARROW:
        return values, np.broadcast_to(np.int64(1), values.shape)
    natural = np.dtype(f"u{dtype.itemsize}")
    times = np.bincount(values.view(natural))
    found = np.flatnonzero(times)
    return found.astype(natural).view(dtype), times[found]


@kernel
def _count(
    bits: NDArray[np.uint32],
    times: NDArray[np.int64],
    start: int,
    slots: NDArray[np.int32],
    counts: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> int:
    """Count values by their first binary digits; sum their digits, and the squares.

    Args:
        bits: The values, float32 as they lie in memory, shape (value,).
        times: How often each occurs, at most 2**39 times, shape (value,).
        start: The first one to count.
        slots: For each page its index in `counts`; below zero where there is none.
        counts: Pages of counts, shape (page, value).
        sums: For each sign and power of two the sums of whole numbers and of the high
            and low bits of their squares, shape (exponent, 3).

    Returns:
        The first value whose page there is no room for; the number of values if all
        were counted.

    """
    for i in range(start, len(bits)):
        value = np.int64(bits[i])
        slot = slots[value >> 20]
        if slot < 0 or slot >= len(counts):
            return i
        counts[slot, (value >> 8) & 0xFFF] += times[i]
        exponent, whole = value >> 23, value & 0x7FFFFF
        if exponent & 0xFF:
            whole |= 0x800000
        square = whole * whole
        sums[exponent, 0] += times[i] * whole
        sums[exponent, 1] += times[i] * (square >> 24)
        sums[exponent, 2] += times[i] * (square & 0xFFFFFF)
    return len(bits)
