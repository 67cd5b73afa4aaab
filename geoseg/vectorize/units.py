"""Areas and lengths as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geoseg.errors import VectorError

_SQUARE_METRES = {"m2": 1.0, "a": 100.0, "ha": 10_000.0, "km2": 1_000_000.0}
_METRES = {"cm": 0.01, "m": 1.0, "km": 1000.0}
_PIXEL = "px"
_QUANTITY = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([a-zA-Z²]+2?)\s*")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A size in pixels, or on the ground: the other is 0."""

    pixels: float = 0
    """In pixels, or in sides of a square pixel."""
    ground: float = 0
    """In square metres, or in metres, on the ground."""


def read_area(text: str) -> Quantity:
    """Read an area such as ``0.5ha``, ``12px``, ``400 m2`` or ``1km2``.

    Raises:
        VectorError: There is no number, or no unit of area.

    Example:
        >>> read_area("0.5ha")
        Quantity(pixels=0, ground=5000.0)

    """
    return _read(text, "area", _SQUARE_METRES)


def read_length(text: str) -> Quantity:
    """Read a length such as ``1.5px`` or ``15m``.

    Raises:
        VectorError: There is no number, or no unit of length.

    """
    return _read(text, "length", _METRES)


def _read(text: str, what: str, units: dict[str, float]) -> Quantity:
    known = f"{', '.join([_PIXEL, *units])}"
    match = _QUANTITY.fullmatch(text)
    unit = match[2].lower().replace("²", "2") if match else ""
    if match is None or unit not in {_PIXEL, *units}:
        raise VectorError(
            f"{text!r} is no {what}; write a number and one of the units {known}"
        )
    number = float(match[1])
    return Quantity(number) if unit == _PIXEL else Quantity(ground=number * units[unit])
