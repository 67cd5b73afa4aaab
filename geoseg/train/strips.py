"""Planes that are gone through row by row: in memory, or too large for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_ROWS = 512
"""Rows of a strip."""
_AT_ONCE = 1 << 18
"""Numbers that are added by numpy at once."""


class Plane(Protocol):
    """Pixels, as numpy has them or a file: an index gives them, in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape; rows and columns last."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type."""

    def __getitem__(self, key: Any, /) -> NDArray[Any]:  # noqa: ANN401  # as numpy takes
        """Give a part."""


def strips(height: int, rows: int = _ROWS) -> Iterator[slice]:
    """Cut rows into strips.

    Example:
        >>> list(strips(5, rows=2))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]

    """
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


def mean_and_deviation(
    parts: Callable[[], Iterator[NDArray[np.float64]]], at_once: int = _AT_ONCE
) -> tuple[float, float]:
    """Give the mean and the standard deviation of numbers that are not held.

    They are numpy's own of all numbers in one array, to the last bit: halves are added
    as it adds them.

    Args:
        parts: Goes through the numbers, some at a time; called three times.
        at_once: How many are added by numpy at once.

    """
    count = sum(map(len, parts()))
    mean = _sum(parts(), count, at_once) / count
    spread = _sum(((part - mean) ** 2 for part in parts()), count, at_once) / count
    return float(mean), float(np.sqrt(spread))


def _sum(parts: Iterator[NDArray[np.float64]], count: int, at_once: int) -> np.float64:
    """Add numbers pairwise."""
    held = np.empty(0)

    def take(wanted: int) -> NDArray[np.float64]:
        nonlocal held
        pieces = [held]
        while sum(map(len, pieces)) < wanted:
            pieces.append(next(parts))
        joined = np.concatenate(pieces)
        held = joined[wanted:]
        return joined[:wanted]

    def add(wanted: int) -> np.float64:
        if wanted <= at_once:
            return np.float64(take(wanted).sum())
        half = wanted // 2
        half -= half % 8  # as numpy cuts what it adds
        return np.float64(add(half) + add(wanted - half))

    return add(count)
