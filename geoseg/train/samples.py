"""Chips: training samples cut from a scene that is split by area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import covered
from geoseg.train.strips import strips

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geoseg.train.strips import Plane


@dataclass(frozen=True, slots=True)
class Anchors:
    """The labelled pixels of a class that chips can show, in reading order."""

    channel: int
    """The class."""
    ends: NDArray[np.int64]
    """For each row of the scene how many there are down to its end."""

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.ends[-1])

    def find(self, number: int, seen: Plane) -> tuple[int, int]:
        """Give row and column of the one of a number, counted from 0.

        Args:
            number: Which.
            seen: The channels of pixels that chips can show, 255 elsewhere.

        """
        return _find(self.ends, number, lambda row: seen[row] == self.channel)


def labelled_rows(seen: Plane) -> NDArray[np.int64]:
    """Count labelled pixels down to the end of each row, shape ``(y,)``."""
    counts = [(seen[rows] != NODATA).sum(axis=1) for rows in strips(seen.shape[0])]
    ends: NDArray[np.int64] = np.concatenate(counts).cumsum()
    return ends


def find_labelled(ends: NDArray[np.int64], number: int, seen: Plane) -> tuple[int, int]:
    """Give row and column of the labelled pixel of a number, in reading order."""
    return _find(ends, number, lambda row: seen[row] != NODATA)


def _find(
    ends: NDArray[np.int64],
    number: int,
    marked: Callable[[int], NDArray[np.bool_]],
) -> tuple[int, int]:
    row = int(np.searchsorted(ends, number, side="right"))
    before = int(ends[row - 1]) if row else 0
    return row, int(np.flatnonzero(marked(row))[number - before])


def find_anchors(seen: Plane) -> tuple[Anchors, ...]:
    """Count for each class the pixels of each row that chips can show.

    Args:
        seen: Their channels, shape ``(y, x)``; 255 elsewhere.

    """
    counts = np.zeros((NODATA, seen.shape[0]), np.int64)
    for rows in strips(seen.shape[0]):
        for row, line in enumerate(seen[rows], start=rows.start):
            counts[:, row] = np.bincount(line, minlength=NODATA + 1)[:NODATA]
    there = np.flatnonzero(counts.any(axis=1))
    return tuple(Anchors(int(c), counts[c].cumsum()) for c in there)


@dataclass(frozen=True, slots=True)
class Chips:
    """A sampler of training samples from the training area of one scene.

    What is drawn is read where it lies: planes may be arrays, or larger than memory.
    """

    image: Plane
    """The normalised image, shape ``(band, y, x)``."""
    labels: Plane
    """The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled."""
    corners: Plane
    """Where a chip may begin, as `Split.training_corners` gives it."""
    chip: int
    """Side of a chip in pixels."""
    seen: Plane
    """The labels that chips can show, shape ``(y, x)``; 255 elsewhere."""
    anchors: tuple[Anchors, ...]
    """The pixels of each class that the training area holds."""

    @classmethod
    def of(
        cls, image: Plane, labels: Plane, corners: Plane, seen: Plane | None = None
    ) -> Chips:
        """Set up the sampler: the chip's size follows from the corners allowed.

        Args:
            image: The normalised image.
            labels: The channel of each pixel's class.
            corners: Where a chip may begin.
            seen: The labels that chips can show; worked out where None.

        Raises:
            LabelsError: No chip that is allowed shows a labelled pixel.

        """
        chip = labels.shape[0] - corners.shape[0] + 1
        if seen is None:
            seen = np.where(covered(corners[:], chip), labels[:], NODATA)
        anchors = find_anchors(seen)
        if not anchors:
            raise LabelsError("no labelled pixel lies in the training area")
        return cls(image, labels, corners, chip, seen, anchors)

    def draw(
        self, channel: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw a chip that shows a class which the training area holds.

        Returns:
            Its image, shape ``(band, y, x)``, and labels, ``(y, x)``, turned and
            flipped at random.

        """
        anchors = next(each for each in self.anchors if each.channel == channel)
        anchor = anchors.find(int(random.integers(anchors.count)), self.seen)
        row, col = self._corner(*anchor, random)
        part = (slice(row, row + self.chip), slice(col, col + self.chip))
        image = self.image[(slice(None), *part)]
        return turn(image, self.labels[part], int(random.integers(8)))

    def _corner(
        self, row: int, col: int, random: np.random.Generator
    ) -> tuple[int, int]:
        """Draw one of the allowed corners whose chip shows a pixel."""
        top, left = max(row - self.chip + 1, 0), max(col - self.chip + 1, 0)
        near = self.corners[top : row + 1, left : col + 1]
        choices = np.flatnonzero(near)
        choice = int(choices[random.integers(choices.size)])
        down, right = divmod(choice, near.shape[1])
        return top + down, left + right


def turn(
    image: NDArray[np.float32], labels: NDArray[np.uint8], way: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Turn and flip a square sample in one of the eight ways, 0 to 7.

    Args:
        image: Shape ``(band, y, x)``.
        labels: Shape ``(y, x)``.
        way: Quarter turns, plus 4 for a flip.

    """
    image = np.rot90(image, way % 4, axes=(1, 2))
    labels = np.rot90(labels, way % 4)
    if way < 4:  # noqa: PLR2004  the four ways without a flip
        return image, labels
    return image[:, :, ::-1], labels[:, ::-1]
