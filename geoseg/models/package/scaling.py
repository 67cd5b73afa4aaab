"""How a model's bands are brought to what its network was trained on, in figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoseg.models.package.card import Card, InputBand

Measured = tuple[tuple[float, float], ...]
"""For each band what a scene's statistics say: mean and deviation, or the values of the
low and the high percentile."""


@dataclass(frozen=True, slots=True)
class BandScaling:
    """What is done to the raw pixels of a band: ``raw * gain - offset``, then a cut."""

    gain: float
    """What they are multiplied with."""
    offset: float
    """What is then taken off."""
    least: float = -math.inf
    """What is given where the result is less."""
    most: float = math.inf
    """What is given where it is more."""


def scalings(card: Card, measured: Measured = ()) -> tuple[BandScaling, ...]:
    """Work out what is done to each band of a model.

    Args:
        card: What the package says.
        measured: What the scene says, where the package leaves it to the scene; where
            it is empty all the same, as before a scene is there, pixels are taken to
            be in the wanted range already.

    """
    if card.normalise == "training":
        return tuple(
            _trained(unit, band)
            for band, unit in zip(card.bands, card.units, strict=True)
        )
    pairs = measured or ((0.0, 1.0),) * len(card.bands)
    if card.percentiles is None:
        return tuple(BandScaling(1 / std, mean / std) for mean, std in pairs)
    return tuple(
        _stretched(band, low, high)
        for band, (low, high) in zip(card.bands, pairs, strict=True)
    )


def _trained(unit: tuple[float, float], band: InputBand) -> BandScaling:
    """By the band's mean and deviation, of raw pixels that may be cut before.

    Args:
        unit: Scale and offset of raw pixels, by which mean and deviation are scaled.
        band: The band.

    """
    scale, added = unit
    gain, offset = scale / band.std, (band.mean - added) / band.std
    if band.clip is None:
        return BandScaling(gain, offset)
    least, most = (value * gain - offset for value in band.clip)
    return BandScaling(gain, offset, least, most)


def _stretched(band: InputBand, low: float, high: float) -> BandScaling:
    """Between two values to 0..1 and clipped, then by the band's mean and deviation."""
    gain = 1 / ((high - low) * band.std)
    return BandScaling(
        gain,
        low * gain + band.mean / band.std,
        least=-band.mean / band.std,
        most=(1 - band.mean) / band.std,
    )
