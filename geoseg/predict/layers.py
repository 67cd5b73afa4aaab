"""The layers of a map: what a run keeps of each pixel's scores, a byte a band.

Class and confidence always; where they are asked for, how unsure the model is
(entropy) and the probability of each class. All are computed from the integer scores
in integers, on the device, so they are the same wherever a block begins and ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.geo.legend import NODATA, UNKNOWN
from geoseg.predict.fixed_point import PROBABILITY_ONE, SCORE_ONE, decide_classes
from geoseg.predict.stitch import by_strips, decide

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE_ONE = 250
"""The byte that means 1 in entropies and probabilities; 255 means no data."""
_LOG_ONE = 1 << 16
"""The fixed-point number of an entropy of one bit."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers a run makes of its scores."""

    class_ids: tuple[int, ...]
    """The class id of each of the predictor's channels."""
    min_confidence: int = 0
    """Pixels of a lower confidence, in percent, get the class 'unknown'."""
    entropy: bool = False
    """Whether the entropy of the probabilities is kept."""
    probabilities: bool = False
    """Whether the probability of each class is kept."""

    @property
    def bands(self) -> dict[str, slice]:
        """Where each layer is among the bands of a part."""
        counts = {"landcover": 1, "confidence": 1}
        counts |= {"entropy": 1} if self.entropy else {}
        counts |= {"probabilities": len(self.class_ids)} if self.probabilities else {}
        stops = accumulate(counts.values())
        return {
            name: slice(stop - counts[name], stop)
            for name, stop in zip(counts, stops, strict=True)
        }

    @property
    def count(self) -> int:
        """The number of bands."""
        return 2 + self.entropy + self.probabilities * len(self.class_ids)

    def decide(
        self, scores: torch.Tensor, mask: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """Make all layers of a piece of the map of its scores.

        Args:
            scores: Complete scores, int32, shape ``(class, y, x)``, on any device.
                Where there are twice as many planes as classes, the first half
                decides the class, and all that is written of it is of the other.
            mask: True where a class is wanted, shape ``(y, x)``; 255 elsewhere.

        Returns:
            Shape ``(band, y, x)``; see `bands`.

        """
        on_cpu = scores.device.type == "cpu"
        made = (self._classes if on_cpu else self._classes_by_torch)(scores, mask)
        calibrated = scores[-len(self.class_ids) :]
        more = []
        if self.entropy:
            more.append(entropy(calibrated).cpu().numpy()[None])
        if self.probabilities:
            more.append(probabilities(calibrated).cpu().numpy())
        if not more:
            return made
        more = [np.where(mask, planes, np.uint8(NODATA)) for planes in more]
        return np.concatenate([made, *more])

    def _classes(
        self, scores: torch.Tensor, mask: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """Make class and confidence."""
        planes, rows, cols = scores.shape
        plane, row, _ = scores.stride()
        size = (planes - 1) * plane + (rows - 1) * row + cols
        made = np.empty((2, rows, cols), np.uint8)
        decide_classes(
            scores.as_strided((size,), (1,)).numpy(),
            (plane, row),
            planes - len(self.class_ids),
            np.array(self.class_ids, np.uint8),
            self.min_confidence,
            np.array(mask),  # contiguous, and writable: compiled for one kind
            made,
        )
        return made

    def _classes_by_torch(
        self, scores: torch.Tensor, mask: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """Make class and confidence by operations of torch's, on a GPU."""
        count = len(self.class_ids)
        calibrated, refined = scores[-count:], scores[:-count]
        decided = decide(refined, calibrated) if len(refined) else decide(calibrated)
        channel, percent = (plane.cpu().numpy() for plane in decided)
        classes = np.array(self.class_ids, np.uint8)[channel]
        classes[percent < self.min_confidence] = UNKNOWN
        return np.where(mask, np.stack([classes, percent]), np.uint8(NODATA))


def probabilities(scores: torch.Tensor) -> torch.Tensor:
    """Round each class's probability to 1/250, half up.

    Args:
        scores: Complete scores, int32, shape ``(class, y, x)``.

    Returns:
        uint8, the same shape, `SHARE_ONE` for certainty.

    """
    result = torch.empty_like(scores, dtype=torch.uint8)
    for strip in by_strips(scores):
        result[:, strip] = _shares(scores[:, strip], SCORE_ONE)
    return result


def entropy(scores: torch.Tensor) -> torch.Tensor:
    """Return how evenly the probability is spread over the classes.

    That is Shannon's entropy (1948), divided by its greatest value, the logarithm of
    the number of classes; 0 for a single class. Logarithms come from a table, for the
    processor's own differ in the last bit with a number's address in memory.

    Args:
        scores: Complete scores, int32, shape ``(class, y, x)``.

    Returns:
        uint8, shape ``(y, x)``, 0 where the model is certain and `SHARE_ONE` where
        all classes are as likely.

    """
    result = torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
    if len(scores) == 1:
        return result
    greatest = round(math.log2(len(scores)) * _LOG_ONE)
    table = torch.from_numpy(_information()).to(scores.device)
    for strip in by_strips(scores):
        levels = scores[:, strip] // (SCORE_ONE // PROBABILITY_ONE)
        bits = table[levels].sum(dim=0).clamp_(max=greatest)
        result[strip] = _shares(bits, greatest)
    return result


def _shares(values: torch.Tensor, one: int) -> torch.Tensor:
    """Give integers as multiples of 1/250 of one, rounded half up."""
    wide = values.to(torch.int64).mul_(SHARE_ONE).add_(one // 2)
    return wide.div_(one, rounding_mode="floor").to(torch.uint8)


@cache
def _information() -> NDArray[np.int64]:
    """What a class of each probability adds to the entropy: -p log2(p)."""
    levels = np.arange(1, PROBABILITY_ONE + 1) / PROBABILITY_ONE
    bits = np.round(-levels * np.log2(levels) * _LOG_ONE)
    return np.concatenate([[0], bits]).astype(np.int64)
