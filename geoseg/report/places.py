"""Where a map is least sure of itself: what to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 32
"""On the longer side of a map."""
_LEAST = 0.25
"""The share of a cell that must have a class."""


@dataclass(frozen=True, slots=True)
class Place:
    """A square of a map."""

    col: float
    """Its middle, in columns of the picture that was looked at."""
    row: float
    """Its middle, in rows."""
    side: float
    """Its side, in pixels of that picture."""
    confidence: float
    """The mean over its pixels, in percent."""


def doubtful_places(confidence: NDArray[np.uint8], most: int = 8) -> list[Place]:
    """Find the squares of a picture of confidences that are least sure.

    They do not touch each other: what lies beside a doubtful square is seen with it.

    Args:
        confidence: Percent, shape ``(y, x)``; 255 is nodata. The picture of a map.
        most: How many are wanted.

    Returns:
        The least sure first; fewer than `most` where the map has not so many.

    Example:
        >>> sure = np.full((64, 64), 90, np.uint8)
        >>> sure[10:12, 40:42] = 30
        >>> doubtful_places(sure, 1)
        [Place(col=41.0, row=11.0, side=2, confidence=30.0)]

    """
    side = max(1, -(-max(confidence.shape) // _CELLS))
    means = _cell_means(confidence, side)
    places: list[Place] = []
    while len(places) < most and np.isfinite(means).any():
        row, col = (int(n) for n in np.unravel_index(np.nanargmin(means), means.shape))
        middle = (row + 0.5) * side, (col + 0.5) * side
        mean = float(means[row, col])
        places.append(Place(col=middle[1], row=middle[0], side=side, confidence=mean))
        means[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = np.nan
    return places


def _cell_means(confidence: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Average over squares, those at the edges cut; NaN where hardly any is valid."""
    missing = [(0, -length % side) for length in confidence.shape]
    whole = np.pad(confidence, missing, constant_values=NODATA)
    rows, cols = (length // side for length in whole.shape)
    cells = whole.reshape(rows, side, cols, side)
    valid = cells != NODATA
    counts = valid.sum(axis=(1, 3))
    sums = np.where(valid, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    enough = counts >= max(1.0, _LEAST * side**2)
    return np.where(enough, sums / np.maximum(counts, 1), np.nan)
