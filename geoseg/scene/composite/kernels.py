"""The loops over pixels of a stack of observations.

Each pixel is decided by itself, in float64 and in the order of the observations, so
that no cut into windows shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


_TOGETHER = 256
"""Pixels of a row that are sorted at once: their values of all dates stay in a core's
cache, and are compared by one instruction."""


@kernel
def _exchange(low: NDArray[np.generic], high: NDArray[np.generic]) -> None:
    """Put the lesser of each two numbers into one row, and the other into the other."""
    for x in range(len(low)):
        a, b = low[x], high[x]
        low[x] = min(a, b)
        high[x] = max(b, a)


@kernel
def _sort_columns(values: NDArray[np.generic]) -> None:
    """Sort each column of ``(date, x)`` by Batcher's odd-even merges.

    Which rows are compared does not depend on what is in them, so that all columns are
    sorted at once (K. E. Batcher, Sorting networks and their applications, AFIPS 1968;
    for any number of rows: Knuth, The Art of Computer Programming 3, algorithm 5.2.2M).
    """
    rows = len(values)
    merged = 1
    while merged < rows:
        step = merged
        while step >= 1:
            for start in range(step % merged, rows - step, 2 * step):
                for low in range(start, min(start + step, rows - step)):
                    if low // (2 * merged) == (low + step) // (2 * merged):
                        _exchange(values[low], values[low + step])
            step //= 2
        merged *= 2


@kernel
def _count(there: NDArray[np.bool_], counts: NDArray[np.int64]) -> None:
    """Count how many dates of each pixel count, ``(date, x)``."""
    counts[:] = 0
    for date in range(there.shape[0]):
        for x in range(there.shape[1]):
            counts[x] += there[date, x]


@kernel
def _hold(
    values: NDArray[np.generic],
    there: NDArray[np.bool_],
    most: np.generic,
    held: NDArray[np.generic],
) -> None:
    """Copy the numbers that count, ``(date, x)``, and the largest for all others."""
    for date in range(values.shape[0]):
        for x in range(values.shape[1]):
            held[date, x] = values[date, x] if there[date, x] else most


@kernel
def _take_middles(
    ranked: NDArray[np.generic],
    counts: NDArray[np.int64],
    rounded: bool,  # noqa: FBT001  # kernels take no keywords
    out: NDArray[np.generic],
) -> None:
    """Take the median of each column that is sorted, where some of it counts."""
    for x in range(len(out)):
        half = counts[x] // 2
        if counts[x]:
            found = np.float64(ranked[half, x])
            if counts[x] % 2 == 0:
                found = (np.float64(ranked[half - 1, x]) + found) / 2
            out[x] = np.rint(found) if rounded else found


@kernel
def median(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    rounded: bool,  # noqa: FBT001  # kernels take no keywords
    most: np.generic,
    out: NDArray[np.generic],
) -> None:
    """Take the median of each band: of an even count, the mean of the middle two.

    Args:
        stack: Pixels, shape ``(date, band, y, x)``.
        valid: Which of them count, shape ``(date, y, x)``.
        rounded: Whether to round to whole numbers, halves to even.
        most: The largest number of the dtype, which stands for pixels that do not
            count: they come last.
        out: Where it is put, shape ``(band, y, x)``; as it was where none counts.

    """
    dates, bands, height, width = stack.shape
    held = np.empty((dates, _TOGETHER), stack.dtype)
    counts = np.empty(_TOGETHER, np.int64)
    for y in range(height):
        for left in range(0, width, _TOGETHER):
            right = min(left + _TOGETHER, width)
            there = valid[:, y, left:right]
            _count(there, counts)
            for band in range(bands):
                _hold(stack[:, band, y, left:right], there, most, held)
                _sort_columns(held)
                _take_middles(held, counts, rounded, out[band, y, left:right])


@kernel
def mean(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    rounded: bool,  # noqa: FBT001  # kernels take no keywords
    out: NDArray[np.generic],
) -> None:
    """Take the mean of each band, added up in the order of dates: see `median`."""
    dates, bands, height, width = stack.shape
    for y in range(height):
        for x in range(width):
            count = 0
            for date in range(dates):
                count += valid[date, y, x]
            if not count:
                continue
            for band in range(bands):
                total = 0.0
                for date in range(dates):
                    if valid[date, y, x]:
                        total += stack[date, band, y, x]
                found = total / count
                out[band, y, x] = np.rint(found) if rounded else found


@kernel
def _most_central(
    points: NDArray[np.float64], count: int, sums: NDArray[np.float64]
) -> int:
    """Find the first of the points ``(point, axis)`` that is least far from all."""
    sums[:count] = 0.0
    for i in range(count):
        for j in range(i + 1, count):
            square = 0.0
            for axis in range(points.shape[1]):
                difference = points[i, axis] - points[j, axis]
                square += difference * difference
            distance = np.sqrt(square)
            sums[i] += distance
            sums[j] += distance
    best = 0
    for i in range(1, count):
        if sums[i] < sums[best]:
            best = i
    return best


@kernel
def medoid(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    bands: NDArray[np.int64],
    chosen: NDArray[np.int32],
) -> None:
    """Choose the date whose distances to all the others sum to least (Flood 2013).

    Args:
        stack: Pixels, shape ``(date, band, y, x)``.
        valid: Which of them count, shape ``(date, y, x)``.
        bands: Which bands distances are measured in, by number.
        chosen: Where the date is put, shape ``(y, x)``: of equals the first one; as it
            was where none counts.

    """
    dates, _, height, width = stack.shape
    there = np.empty(dates, np.int64)
    sums = np.empty(dates, np.float64)
    values = np.empty((dates, len(bands)), np.float64)
    for y in range(height):
        for x in range(width):
            count = 0
            for date in range(dates):
                if valid[date, y, x]:
                    there[count] = date
                    for band in range(len(bands)):
                        values[count, band] = stack[date, bands[band], y, x]
                    count += 1
            if count:
                chosen[y, x] = there[_most_central(values, count, sums)]


@kernel
def greenest(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    red: int,
    nir: int,
    chosen: NDArray[np.int32],
) -> None:
    """Choose the date of the highest NDVI: of equals the first one.

    Where red and near infrared sum to nothing or less, as over deep water after an
    atmospheric correction, there is no index, and any other date goes before.
    """
    dates, _, height, width = stack.shape
    for y in range(height):
        for x in range(width):
            best, highest = -1, -np.inf
            for date in range(dates):
                if valid[date, y, x]:
                    r = np.float64(stack[date, red, y, x])
                    n = np.float64(stack[date, nir, y, x])
                    index = (n - r) / (n + r) if n + r > 0 else -np.inf
                    if best < 0 or index > highest:
                        best, highest = date, index
            chosen[y, x] = best


@kernel
def first(valid: NDArray[np.bool_], chosen: NDArray[np.int32]) -> None:
    """Choose the first date that counts."""
    dates, height, width = valid.shape
    for y in range(height):
        for x in range(width):
            for date in range(dates):
                if valid[date, y, x]:
                    chosen[y, x] = date
                    break


@kernel
def take(
    stack: NDArray[np.generic], chosen: NDArray[np.int32], out: NDArray[np.generic]
) -> None:
    """Take the pixels of the date chosen; leave those of which none is (-1)."""
    bands, height, width = out.shape
    for y in range(height):
        for x in range(width):
            if chosen[y, x] >= 0:
                for band in range(bands):
                    out[band, y, x] = stack[chosen[y, x], band, y, x]
