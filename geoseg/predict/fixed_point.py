"""The loops of a CPU over fixed-point scores: each number is read once.

torch's operations do the same to the same bits, in a pass each; GPUs are given those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA, UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROBABILITY_ONE = 1 << 14
"""The fixed-point number of probability 1."""
WEIGHT_ONE = 1 << 8
"""What the weights of all tiles that cover a pixel sum to, along one axis."""
SCORE_ONE = PROBABILITY_ONE * WEIGHT_ONE**2
"""The score of a class that every tile is certain of."""
SCORE_BITS = SCORE_ONE.bit_length() - 1
"""It is two to the power of this: a shift divides by it, at a tenth of the time."""
_ONE = np.float32(PROBABILITY_ONE)
_HALF = SCORE_ONE // 2


@kernel
def add_weighted(
    probabilities: NDArray[np.float32],
    part: tuple[int, int],
    weights: tuple[NDArray[np.int32], NDArray[np.int32]],
    sums: NDArray[np.int32],
    corner: tuple[int, int],
) -> None:
    """Add a part of a tile to sums.

    Args:
        probabilities: Of the tile, shape ``(class, y, x)``.
        part: First row and column of it that are added.
        weights: Along the rows and along the columns that are added.
        sums: What they are added to, shape ``(class, y, x)``.
        corner: First row and column there.

    """
    by_row, by_col = weights
    count = len(by_col)
    for label in range(len(sums)):
        for i in range(len(by_row)):
            given = probabilities[label, part[0] + i, part[1] : part[1] + count]
            total = sums[label, corner[0] + i, corner[1] : corner[1] + count]
            for j in range(count):
                fixed = np.int32(np.rint(given[j] * _ONE))
                total[j] += fixed * (by_row[i] * by_col[j])


@kernel
def decide_classes(  # noqa: PLR0913, PLR0917  # a kernel takes no objects
    scores: NDArray[np.int32],
    strides: tuple[int, int],
    shown: int,
    ids: NDArray[np.uint8],
    least: int,
    mask: NDArray[np.bool_],
    made: NDArray[np.uint8],
) -> None:
    """Choose each pixel's class: the greatest score, the lowest channel on a tie.

    Args:
        scores: Complete scores, from the first one on, in one row.
        strides: How far it is there to the next plane, and to the next row.
        shown: Of which plane on the winner's score is given as confidence.
        ids: The class id of each channel.
        least: Pixels of a lower confidence, in percent, get the class 'unknown'.
        mask: True where a class is wanted, shape ``(y, x)``.
        made: Where class and percent of certainty go, rounded half up, shape
            ``(2, y, x)``.

    """
    height, width = mask.shape
    plane, row = strides
    best, winner = np.empty(width, np.int32), np.empty(width, np.int32)
    for i in range(height):
        best[:] = scores[i * row : i * row + width]
        winner[:] = 0
        for label in range(1, len(ids)):
            first = label * plane + i * row
            others = scores[first : first + width]
            for j in range(width):
                winner[j] = label if others[j] > best[j] else winner[j]
                best[j] = max(others[j], best[j])
        if shown:
            for j in range(width):
                best[j] = scores[(shown + winner[j]) * plane + i * row + j]
        for j in range(width):
            percent = (np.int64(best[j]) * 100 + _HALF) >> SCORE_BITS
            label = ids[winner[j]] if percent >= least else UNKNOWN
            made[0, i, j] = label if mask[i, j] else NODATA
            made[1, i, j] = percent if mask[i, j] else NODATA
