"""The loops over pixels of a stack of observations.

Each pixel is decided by itself, in float64 and in the order of the observations, so
that no cut into windows shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def _sort(values: NDArray[np.float64], count: int) -> None:
    """Sort the first numbers of an array by insertion: they are few."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@kernel
def _select(values: NDArray[np.float64], count: int, rank: int) -> None:
    """Put the number of a rank at its index, none larger before it (Hoare's find)."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank:
            low = i
        if rank < i:
            high = j


@kernel
def _middle(values: NDArray[np.float64], count: int) -> float:
    """Give the median: of an even count, the mean of the two in the middle."""
    half = count // 2
    found, below = 0.0, 0.0
    if count <= 48:  # noqa: PLR2004  # up to there insertion is faster than selection
        _sort(values, count)
        found, below = values[half], values[max(half - 1, 0)]
    else:
        _select(values, count, half)
        found, below = values[half], values[0]
        for i in range(1, half):
            below = max(below, values[i])
    middle: float = found if count % 2 else (below + found) / 2
    return middle


@kernel
def median(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    rounded: bool,  # noqa: FBT001  # kernels take no keywords
    out: NDArray[np.generic],
) -> None:
    """Take the median of each band.

    Args:
        stack: Pixels, shape ``(date, band, y, x)``.
        valid: Which of them count, shape ``(date, y, x)``.
        rounded: Whether to round to whole numbers, halves to even.
        out: Where it is put, shape ``(band, y, x)``; as it was where none counts.

    """
    dates, bands, height, width = stack.shape
    values = np.empty(dates, np.float64)
    there = np.empty(dates, np.int64)
    for y in range(height):
        for x in range(width):
            count = 0
            for date in range(dates):
                if valid[date, y, x]:
                    there[count] = date
                    count += 1
            if not count:
                continue
            for band in range(bands):
                for i in range(count):
                    values[i] = stack[there[i], band, y, x]
                found = _middle(values, count)
                out[band, y, x] = np.rint(found) if rounded else found


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
