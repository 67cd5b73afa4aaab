"""The temperature by which a model's confidences become how often it is right.

Temperature scaling: Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern
neural networks, ICML. Logits are divided by one number before the softmax, the one of
the least negative log-likelihood on labelled pixels. It changes no pixel's best class
in a tile. No figure is of ground that its temperature was fitted on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from geoseg.errors import LabelsError
from geoseg.evaluate.calibration import Calibration, count_confidences
from geoseg.models.package.reliability import Bin, Reliability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.models.package.card import Card

    Described = TypeVar("Described", bound=Card)

_PIECES = 10
"""Into how many pieces ground is put, each measured without itself; or as many as there
are blocks."""
_RANGE = (0.05, 20.0)
"""Between which a temperature is looked for."""
_AT_END = 1.01
"""A temperature so near an end of that, as a factor, is at the end."""


@dataclass(frozen=True, slots=True)
class SeenPixels:
    """Labelled pixels that a model was shown and has not learned from."""

    logits: NDArray[np.float32]
    """The model's, without a temperature, shape ``(pixel, class)``; for each pixel up
    to a number added to all of them."""
    channels: NDArray[np.uint8]
    """The channel of each pixel's class, shape ``(pixel,)``."""
    blocks: NDArray[np.int64]
    """The block of ground that each lies in, shape ``(pixel,)``."""

    @classmethod
    def together(cls, parts: Sequence[SeenPixels]) -> SeenPixels:
        """Put parts of one ground together, whose blocks have their numbers."""
        return cls(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.channels for part in parts]),
            np.concatenate([part.blocks for part in parts]),
        )

    @classmethod
    def of_blocks(cls, blocks: Sequence[SeenPixels]) -> SeenPixels:
        """Put blocks together, a part each; those without labels do not count."""
        there = [each for each in blocks if len(each.channels)]
        numbered = [
            replace(each, blocks=np.full(len(each.channels), number))
            for number, each in enumerate(there)
        ]
        return cls.together(numbered)

    def where(self, which: NDArray[np.bool_]) -> SeenPixels:
        """Take some of the pixels."""
        return SeenPixels(self.logits[which], self.channels[which], self.blocks[which])


@dataclass(frozen=True, slots=True)
class FittedTemperature:
    """A temperature and what it does on ground that it was not fitted on."""

    temperature: float
    """What logits are divided by."""
    reliability: Reliability
    """Confidences before and after."""

    @property
    def helps(self) -> bool:
        """Whether confidences come nearer to what is true there."""
        return self.reliability.error_after < self.reliability.error_before

    def on(self, card: Described) -> Described:
        """Give a card that has it."""
        return replace(card, temperature=self.temperature, reliability=self.reliability)


def calibrated(
    card: Described, fit: Callable[[], FittedTemperature]
) -> tuple[Described, tuple[str, ...]]:
    """Give a card a temperature where that helps on ground that did not decide it.

    Args:
        card: The model's, without a temperature.
        fit: Fits it, and raises ``LabelsError`` where that cannot be.

    Returns:
        The card, and where it has no temperature a sentence that says why.

    """
    try:
        fitted = fit()
    except LabelsError as error:
        return card, (f"confidences are not calibrated: {error}",)
    if fitted.helps:
        return fitted.on(card), ()
    found = fitted.reliability
    said = (
        f"confidences stay as they are: no temperature brings them nearer to what is "
        f"true of {found.ground}; by the likeliest, {fitted.temperature:g}, their "
        f"expected calibration error is {found.error_after:.3f}, and "
        f"{found.error_before:.3f} without it"
    )
    return replace(card, reliability=found.without()), (said,)


def fit_on_other_ground(
    known: SeenPixels, asked: SeenPixels, legend: Legend, ground: str
) -> FittedTemperature:
    """Fit a temperature on some ground, and measure it on other ground.

    Args:
        known: What it is fitted on.
        asked: What is measured.
        legend: The classes.
        ground: What is measured, in words.

    Raises:
        LabelsError: No temperature can be fitted.

    """
    temperature = fit_temperature(known, legend)
    after = _count(asked, temperature, legend)
    return FittedTemperature(
        temperature, _reliability(_count(asked, 1.0, legend), after, ground)
    )


def fit_in_turn(seen: SeenPixels, legend: Legend, ground: str) -> FittedTemperature:
    """Fit a temperature, and measure each piece of the ground by that of the others.

    Args:
        seen: All that there is; what is kept is fitted on all of it.
        legend: The classes.
        ground: Where it is, in words.

    Raises:
        LabelsError: No temperature can be fitted, or all pixels are of one block.

    """
    pieces = seen.blocks % _PIECES
    numbers = np.unique(pieces)
    temperature = fit_temperature(seen, legend)
    if len(numbers) == 1:
        raise LabelsError(
            "all labelled pixels lie in one block of ground, so that nothing is left "
            "to measure a temperature on; label other ground, too, or take a smaller "
            "`held_out_block`"
        )
    after = None
    for number in numbers:
        is_own = pieces == number
        own = _best_temperature(seen.where(~is_own))
        counted = _count(seen.where(is_own), own, legend)
        after = counted if after is None else after + counted
    assert after is not None  # noqa: S101  # there are two pieces at least
    return FittedTemperature(
        temperature, _reliability(_count(seen, 1.0, legend), after, ground)
    )


def fit_temperature(seen: SeenPixels, legend: Legend) -> float:
    """Find the temperature of the least negative log-likelihood.

    Raises:
        LabelsError: A class has no pixel, or the best temperature is none: pixels are
            all right, or no better than chance.

    """
    counts = np.bincount(seen.channels, minlength=len(legend))
    missing = [each.name for each, n in zip(legend, counts, strict=True) if not n]
    if missing:
        raise LabelsError(
            f"no temperature can be fitted: no labelled pixel there is of "
            f"{', '.join(missing)}; label some of each class of the model"
        )
    found = _best_temperature(seen)
    low, high = _RANGE
    if not low * _AT_END < found < high / _AT_END:
        right = float((seen.logits.argmax(axis=1) == seen.channels).mean())
        raise LabelsError(
            f"no temperature can be fitted: the best of {low:g} to {high:g} is at the "
            f"end, {found:.3g}, with {right:.1%} of {len(seen.channels):,} pixels "
            f"right; label ground on which the model is right often, and not always"
        )
    return round(found, 4)


def _best_temperature(seen: SeenPixels) -> float:
    """Minimise the mean negative log-likelihood; it has one minimum in 1/T."""
    logits = seen.logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    rows = np.arange(len(logits))

    def loss(exponent: float) -> float:
        likely = log_softmax(logits * math.exp(-exponent), axis=1)
        return -float(likely[rows, seen.channels].mean())

    low, high = map(math.log, _RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return math.exp(found.x)


def _count(seen: SeenPixels, temperature: float, legend: Legend) -> Calibration:
    """Count confidences as a map holds them: in whole percents."""
    likely = softmax(seen.logits.astype(np.float64) / temperature, axis=1)
    ids = np.array(legend.ids, np.uint8)
    return count_confidences(
        ids[seen.channels],
        ids[likely.argmax(axis=1)],
        np.rint(100 * likely.max(axis=1)).astype(np.uint8),
        tuple(legend.ids),
    )


def _reliability(before: Calibration, after: Calibration, ground: str) -> Reliability:
    return Reliability(
        ground,
        int(before.pixels.sum()),
        before.expected_error,
        after.expected_error,
        _bins(before),
        _bins(after),
    )


def _bins(counted: Calibration) -> tuple[Bin, ...]:
    return tuple(Bin(b.confidence, b.accuracy, b.pixels) for b in counted.bins)


def calibration_record(card: Card, said: tuple[str, ...]) -> dict[str, object]:
    """Give it as ``accuracy.json`` does; nothing where nothing was measured."""
    if card.reliability is None:
        return {}
    return {
        "calibration": {
            "temperature": card.temperature,
            **({"note": said[0]} if said else {}),
            **card.reliability.to_item(),
        }
    }
