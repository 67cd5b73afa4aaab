"""A sampler of training samples from one scene or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.train.samples import Chips


@dataclass(frozen=True, slots=True)
class Sampler:
    """Chips of several scenes, each class drawn as often as the others."""

    chips: tuple[Chips, ...]
    """The chips of each scene."""
    shares: tuple[tuple[int, NDArray[np.float64]], ...]
    """For each class that a training area holds, its channel, and each scene's share of
    its pixels."""

    @classmethod
    def of(cls, chips: Sequence[Chips]) -> Sampler:
        """Set up the sampler from the chips of each scene."""
        held = [{each.channel: each.count for each in c.anchors} for c in chips]
        shares = []
        for channel in sorted({channel for counts in held for channel in counts}):
            pixels = np.array([counts.get(channel, 0) for counts in held], float)
            shares.append((channel, pixels / pixels.sum()))
        return cls(tuple(chips), tuple(shares))

    def draw(
        self, count: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw chips that each show a class drawn at random, turned and flipped.

        A class first, then a scene by its share of the class, a labelled pixel of it,
        and a chip around the pixel: rare classes are seen as often as common ones.

        Returns:
            Images, shape ``(chip, band, y, x)``, and labels, ``(chip, y, x)``.

        """
        images, labels = zip(*(self._one(random) for _ in range(count)), strict=True)
        return np.stack(images), np.stack(labels)

    def _one(
        self, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        channel, shares = self.shares[int(random.integers(len(self.shares)))]
        index = 0
        if len(self.chips) > 1:
            index = int(random.choice(len(self.chips), p=shares))
        return self.chips[index].draw(channel, random)
