"""Chips: training samples cut from a scene that is split by area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import covered

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Anchors:
    """The labelled pixels of a class that chips can show."""

    channel: int
    """The class."""
    pixels: NDArray[np.int64]
    """Flat indices of its pixels in the scene."""


@dataclass(frozen=True, slots=True)
class Chips:
    """A sampler of training samples from the training area of one scene.

    The image is held in memory: this is for a sample of up to some hundred
    megapixels, not for a whole archive.
    """

    image: NDArray[np.float32]
    """The normalised image, shape ``(band, y, x)``."""
    labels: NDArray[np.uint8]
    """The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled."""
    corners: NDArray[np.bool_]
    """Where a chip may begin, as `Split.training_corners` gives it."""
    chip: int
    """Side of a chip in pixels."""
    anchors: tuple[Anchors, ...]
    """The pixels of each class that the training area holds."""

    @classmethod
    def of(
        cls,
        image: NDArray[np.float32],
        labels: NDArray[np.uint8],
        corners: NDArray[np.bool_],
    ) -> Chips:
        """Set up the sampler: the chip's size follows from the corners allowed.

        Raises:
            LabelsError: No chip that is allowed shows a labelled pixel.

        """
        chip = labels.shape[0] - corners.shape[0] + 1
        seen = np.where(covered(corners, chip), labels, NODATA)
        there = np.unique(seen[seen != NODATA])
        if there.size == 0:
            raise LabelsError("no labelled pixel lies in the training area")
        anchors = tuple(Anchors(int(c), np.flatnonzero(seen == c)) for c in there)
        return cls(image, labels, corners, chip, anchors)

    def draw(
        self, channel: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw a chip that shows a class which the training area holds.

        Returns:
            Its image, shape ``(band, y, x)``, and labels, ``(y, x)``, turned and
            flipped at random.

        """
        pixels = next(each.pixels for each in self.anchors if each.channel == channel)
        anchor = pixels[random.integers(pixels.size)]
        row, col = self._corner(int(anchor), random)
        part = (slice(row, row + self.chip), slice(col, col + self.chip))
        return turn(self.image[:, *part], self.labels[part], int(random.integers(8)))

    def _corner(self, anchor: int, random: np.random.Generator) -> tuple[int, int]:
        """Draw one of the allowed corners whose chip shows a pixel."""
        row, col = divmod(anchor, self.labels.shape[1])
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
