"""A supply of training samples from several scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.train.chips import Chips


@dataclass(frozen=True, slots=True)
class Supply:
    """Chips of several scenes, each class drawn as often as the others."""

    chips: tuple[Chips, ...]
    """The chips of each scene."""

    def draw(
        self, count: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw chips: a class at random, a scene by its pixels of it, a chip there.

        Returns:
            Images, shape ``(chip, band, y, x)``, and labels, ``(chip, y, x)``.

        """
        images, labels = zip(*(self._one(random) for _ in range(count)), strict=True)
        return np.stack(images), np.stack(labels)

    @property
    def channels(self) -> list[int]:
        """The channels that the training area of some scene holds."""
        return sorted({channel for counts in self._counts() for channel in counts})

    def _one(
        self, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        held = self.channels
        channel = held[int(random.integers(len(held)))]
        pixels = np.array([counts.get(channel, 0) for counts in self._counts()], float)
        place = int(random.choice(len(self.chips), p=pixels / pixels.sum()))
        return self.chips[place].draw_class(channel, random)

    def _counts(self) -> list[dict[int, int]]:
        """How many pixels of each channel the training area of each scene holds."""
        return [
            {int(c.labels.flat[a[0]]): a.size for a in c.anchors} for c in self.chips
        ]
