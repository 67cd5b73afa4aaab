"""The inputs of a model that takes several: each with bands, unit, grid and dates.

A model of one image says all of this of the whole card; one of several says it of each,
and the card's own bands are those of all inputs, behind each other, a date after the
other: ``s2:spring:B02``. So a network's channels, the scaling of bands and what a
predictor reads are what they are for one image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import get_args

from geoseg.errors import ModelError, SceneError
from geoseg.options import Composite, Resampling, Valid
from geoseg.scene.composite.seasons import parse_window

RESAMPLINGS: tuple[Resampling, ...] = get_args(Resampling)
VALIDS: tuple[Valid, ...] = get_args(Valid)
COMPOSITES: tuple[Composite, ...] = get_args(Composite)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
MOST_INPUTS = 64
"""Inputs, and dates of one, that a model may take."""


@dataclass(frozen=True, slots=True)
class InputBand:
    """A band that a network takes."""

    name: str
    """The sensor's name for it, such as ``B02``."""
    common_name: str
    """The name that sensors share, such as ``blue``; empty where there is none."""
    mean: float
    """Mean of the scaled pixels that the network was trained on; 0 where each scene's
    own mean is taken."""
    std: float
    """Standard deviation of those pixels, above zero; 1 where each scene's own is."""
    index: int | None = None
    """The scene's band that it is, counted from 1, whatever its name; None where names
    decide."""
    minimum: float | None = None
    """The least raw pixel that it was trained on, if known."""
    maximum: float | None = None
    """The greatest raw pixel that it was trained on, if known."""
    clip: tuple[float, float] | None = None
    """Raw pixels below the first and above the second are taken for these, either of
    which may be infinite; None where all count as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedInput:
    """One of several inputs of a model."""

    name: str
    """What it is called: letters, digits, ``-`` and ``_``."""
    bands: tuple[InputBand, ...]
    """The bands that are taken of it, the same on every date."""
    dtype: str
    """The numpy dtype of raw pixels."""
    scale: float = 1.0
    """What raw pixels are multiplied with."""
    offset: float = 0.0
    """What is added to them after that."""
    gsd_m: float
    """Ground sample distance that it was trained on, in metres, before it was brought
    onto the model's pixels."""
    resampling: Resampling = "bilinear"
    """How its pixels are found on another grid: ``nearest`` for classes."""
    valid: Valid = "all"
    """Whether a pixel needs all of its bands, or any."""
    dates: tuple[tuple[str, str], ...] = ()
    """Windows of dates, name and days: ``("spring", "03-01/05-15")``; the bands of each
    are taken, in this order. Empty where time is no matter."""
    mosaic: Composite = "first"
    """What is made of several pictures of one window."""

    @property
    def slots(self) -> tuple[str, ...]:
        """What of it is read as an image by itself: itself, or each date of it."""
        if not self.dates:
            return (self.name,)
        return tuple(f"{self.name}:{date}" for date, _ in self.dates)


def flat_bands(inputs: tuple[NamedInput, ...]) -> tuple[InputBand, ...]:
    """Give the bands of all inputs and dates as the network takes them, each named."""
    return tuple(
        replace(band, name=f"{slot}:{band.name}", index=None)
        for each in inputs
        for slot in each.slots
        for band in each.bands
    )


def check_inputs(inputs: tuple[NamedInput, ...], bands: tuple[InputBand, ...]) -> None:
    """Refuse inputs that cannot be distinguished, or have other bands than a card.

    Args:
        inputs: A card's; none where its model takes one image.
        bands: The card's.

    Raises:
        ModelError: There are such.

    """
    names = [each.name for each in inputs]
    if len(set(names)) < len(names) or len(names) > MOST_INPUTS:
        raise ModelError(
            f"its inputs are {', '.join(names)}; give each one name, {MOST_INPUTS} "
            f"inputs at most"
        )
    for each in inputs:
        check_dates(each)
        if not each.bands:
            raise ModelError(f"input {each.name} has no band")
    if inputs and bands != flat_bands(inputs):
        raise ModelError(
            f"it lists {len(bands)} bands, which are not those of its inputs "
            f"{', '.join(names)}"
        )


def check_dates(taken: NamedInput) -> None:
    """Refuse an input's name and windows of dates that cannot be used.

    Raises:
        ModelError: One cannot; the message says which.

    """
    dates = [name for name, _ in taken.dates]
    for name in (taken.name, *dates):
        if not _NAME.fullmatch(name):
            raise ModelError(
                f"{name!r} is no name of an input or a date; write letters, digits, - "
                f"and _, a letter first"
            )
    if len(set(dates)) < len(dates) or len(dates) > MOST_INPUTS:
        raise ModelError(
            f"input {taken.name} has the dates {', '.join(dates)}; give each one name"
        )
    for name, window in taken.dates:
        try:
            parse_window(window)
        except SceneError as error:
            raise ModelError(f"input {taken.name}, dates {name}: {error}") from error


def input_properties(taken: NamedInput) -> dict[str, object]:
    """Write what the MLM extension has no word for, as properties of its input."""
    return {
        "geoseg:scale": taken.scale,
        "geoseg:offset": taken.offset,
        "geoseg:gsd": taken.gsd_m,
        "geoseg:resampling": taken.resampling,
        "geoseg:valid": taken.valid,
        "geoseg:mosaic": taken.mosaic,
        **(
            {"geoseg:dates": [{"name": n, "window": w} for n, w in taken.dates]}
            if taken.dates
            else {}
        ),
    }
