"""A scene split by area: held-out blocks, and where training chips may lie.

A split by random chip or pixel lets a model see the same field in training and
in the test, and flatters it. Here the scene is cut into square blocks, and each
block belongs to one of five folds in a pattern in which blocks of a fold never
touch, not even at a corner::

    0 1 2 3 4 0
    2 3 4 0 1 2
    4 0 1 2 3 4

One fold is held out; no training chip comes closer to its blocks than a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geoseg.errors import PlanError, brief
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray


FOLDS = 5


class Corners(Protocol):
    """Where chips may begin, in memory or in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, key: slice, /) -> NDArray[np.bool_]:
        """Give some rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """A scene cut into training and test area."""

    height: int
    """Rows of the scene."""
    width: int
    """Columns of the scene."""
    fold: int
    """The fold that is held out, 0 to 4."""
    block: int = 256
    """The side of a block in pixels; blocks at the far edges may be smaller."""
    gap: int = 16
    """How many pixels lie, at least, between a training chip and a test block."""
    row: int = 0
    """The row of the lattice of blocks, in pixels, where the scene begins."""
    col: int = 0
    """The column of it."""

    def __post_init__(self) -> None:
        """Refuse a fold that does not exist."""
        numbers = (self.height, self.width, self.fold, self.block, self.gap)
        if not all(isinstance(each, Integral) for each in numbers):
            raise PlanError(f"a split is made of whole numbers, got {brief(numbers)}")
        if not 0 <= self.fold < FOLDS:
            raise PlanError(f"folds are numbered 0 to {FOLDS - 1}, got {self.fold}")

    def test_area(self) -> NDArray[np.bool_]:
        """Mark the held-out pixels, shape ``(height, width)``, True = held out."""
        return self.mask(Window(0, 0, self.height, self.width))

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Mark the held-out pixels of a window, shape ``(y, x)``, True = held out."""
        top, left = self.row + window.row, self.col + window.col
        rows = (np.arange(window.height)[:, np.newaxis] + top) // self.block
        cols = (np.arange(window.width) + left) // self.block
        held_out: NDArray[np.bool_] = (cols + 2 * rows) % FOLDS == self.fold
        return held_out

    def meets(self, window: Window) -> bool:
        """Return whether a window, perhaps beyond the scene, shows held-out pixels."""
        inside = window.intersection(Window(0, 0, self.height, self.width))
        if inside is None:
            return False
        rows, cols = (
            range((at + start) // self.block, (at + stop - 1) // self.block + 1)
            for at, (start, stop) in (
                (self.row, inside.rows),
                (self.col, inside.cols),
            )
        )
        return any((c + 2 * r) % FOLDS == self.fold for r in rows for c in cols)

    def test_blocks(self) -> list[tuple[slice, slice]]:
        """List the held-out blocks as (rows, columns), in reading order."""
        return [
            (rows, cols)
            for row, rows in self._lines(self.row, self.height)
            for col, cols in self._lines(self.col, self.width)
            if (col + 2 * row) % FOLDS == self.fold
        ]

    def _lines(self, start: int, length: int) -> list[tuple[int, slice]]:
        """Cut an axis of the scene at the lattice: (number, pixels) of each line."""
        side = self.block
        return [
            (
                line,
                slice(
                    max(line * side - start, 0), min((line + 1) * side - start, length)
                ),
            )
            for line in range(start // side, -(-(start + length) // side))
        ]

    def training_corners(self, chip: int) -> NDArray[np.bool_]:
        """Mark where a training chip may have its upper-left pixel.

        A chip lies inside the scene and keeps the gap to every test block.

        Args:
            chip: Side of a chip in pixels.

        Returns:
            Shape ``(height - chip + 1, width - chip + 1)``, True = allowed.

        Raises:
            PlanError: No chip of this size fits.

        """
        rows, cols = self.height - chip + 1, self.width - chip + 1
        allowed = np.ones((max(rows, 0), max(cols, 0)), bool)
        reach = chip - 1 + self.gap
        for block_rows, block_cols in self.test_blocks():
            top, left = block_rows.start - reach, block_cols.start - reach
            allowed[
                max(top, 0) : block_rows.stop + self.gap,
                max(left, 0) : block_cols.stop + self.gap,
            ] = False
        if not allowed.any():
            raise PlanError(
                f"no chip of {chip} pixels fits beside the test blocks of a scene of "
                f"{self.height} x {self.width} pixels; take smaller chips or blocks"
            )
        return allowed

    def training_area(self, chip: int) -> NDArray[np.bool_]:
        """Mark the pixels that training chips can show, shape ``(height, width)``."""
        return covered(self.training_corners(chip), chip)


def covered_rows(corners: Corners, chip: int, rows: slice) -> NDArray[np.bool_]:
    """Mark as `covered` does some rows of a scene, shape ``(row, width)``.

    Args:
        corners: Where chips begin; what an index gives of them is in memory.
        chip: Side of a chip in pixels.
        rows: Which rows, from a start to a stop within the scene.

    """
    first = max(rows.start - chip + 1, 0)
    near = covered(corners[first : min(rows.stop, corners.shape[0])], chip)
    return near[rows.start - first : rows.stop - first]


def covered(corners: NDArray[np.bool_], chip: int) -> NDArray[np.bool_]:
    """Mark the pixels that some chip shows.

    Args:
        corners: Where chips begin, shape ``(height - chip + 1, width - chip + 1)``.
        chip: Side of a chip in pixels.

    Returns:
        Shape ``(height, width)``.

    """
    rows, cols = corners.shape
    # Each chip adds one to its rectangle: +1 and -1 at its corners, summed up.
    edges = np.zeros((rows + chip, cols + chip), np.int64)
    for row, col, sign in ((0, 0, 1), (chip, 0, -1), (0, chip, -1), (chip, chip, 1)):
        edges[row : row + rows, col : col + cols] += sign * corners
    counts = edges.cumsum(axis=0).cumsum(axis=1)
    return counts[:-1, :-1] > 0
