"""Areas and lengths as people write them, in pixels of a map."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from geoseg.errors import VectorError

if TYPE_CHECKING:
    from geoseg.georef import Georef

_SQUARE_METRES = {"m2": 1.0, "a": 100.0, "ha": 10_000.0, "km2": 1_000_000.0}
_METRES = {"cm": 0.01, "m": 1.0, "km": 1000.0}
_PIXEL = "px"
_QUANTITY = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([a-zA-Z²]+2?)\s*")


def area_in_pixels(text: str, georef: Georef) -> float:
    """Read an area such as ``0.5ha``, ``12px``, ``400 m2`` or ``1km2``.

    Args:
        text: A number and its unit.
        georef: The map whose pixels are counted. In a geographic CRS they
            differ in area; that of the central one is taken.

    Raises:
        VectorError: There is no number, or no unit of area.

    """
    number, unit = _split(text, "area", _SQUARE_METRES)
    if unit == _PIXEL:
        return number
    return number * _SQUARE_METRES[unit] / georef.pixel_area_m2()


def length_in_pixels(text: str, georef: Georef) -> float:
    """Read a length such as ``1.5px`` or ``15m``.

    Args:
        text: A number and its unit.
        georef: The map whose pixels are counted: sides of square pixels of the
            same area as its own.

    Raises:
        VectorError: There is no number, or no unit of length.

    """
    number, unit = _split(text, "length", _METRES)
    if unit == _PIXEL:
        return number
    return number * _METRES[unit] / math.sqrt(georef.pixel_area_m2())


def _split(text: str, what: str, units: dict[str, float]) -> tuple[float, str]:
    known = f"{', '.join([_PIXEL, *units])}"
    match = _QUANTITY.fullmatch(text)
    unit = match[2].lower().replace("²", "2") if match else ""
    if match is None or unit not in {_PIXEL, *units}:
        raise VectorError(
            f"{text!r} is no {what}; write a number and one of the units {known}"
        )
    return float(match[1]), unit
