"""Pixels that a quality band names: clouds, shadows and the like, by name.

Sentinel-2's scene classification (SCL) is a class a pixel, Landsat's QA_PIXEL a bit a
class: https://sentiwiki.copernicus.eu/web/s2-processing and the Landsat 8-9
Collection 2 Level 2 Science Product Guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SCL = {
    "nodata": (0,),
    "saturated": (1,),
    "dark": (2,),
    "shadow": (3,),
    "vegetation": (4,),
    "bare": (5,),
    "water": (6,),
    "unclassified": (7,),
    "cloud": (8, 9),
    "cirrus": (10,),
    "snow": (11,),
}
_QA_PIXEL = {
    "nodata": 0,
    "dilated": 1,
    "cirrus": 2,
    "cloud": 3,
    "shadow": 4,
    "snow": 5,
    "clear": 6,
    "water": 7,
}
"""The bit of each class."""


def is_quality(name: str) -> bool:
    """Return whether a band of this name holds classes, no measurements."""
    return name.strip().lower() in {"scl", "qa_pixel"}


@dataclass(frozen=True, slots=True)
class Quality:
    """What of a quality band does not count."""

    band: int
    """The scene's band, counted from 0."""
    values: tuple[int, ...] = ()
    """Values of pixels that do not count."""
    bits: int = 0
    """Bits of which none may be set."""

    def counts(self, band: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Return which pixels of the band count."""
        if self.values:
            return ~np.isin(band, self.values)
        clear: NDArray[np.bool_] = (band.astype(np.int64) & self.bits) == 0
        return clear


def find_quality(asked: Sequence[str], bands: Sequence[str]) -> tuple[Quality, ...]:
    """Find quality bands in a scene and what of them does not count.

    Args:
        asked: Such as ``scl:cloud,shadow`` or ``qa_pixel:cloud,snow``.
        bands: The scene's band names.

    Raises:
        SceneError: No such band or class is known.

    Example:
        >>> find_quality(["scl:cloud,shadow"], ["B04", "SCL"])
        (Quality(band=1, values=(3, 8, 9), bits=0),)

    """
    return tuple(
        _found(each, [name.strip().lower() for name in bands]) for each in asked
    )


def _found(asked: str, bands: Sequence[str]) -> Quality:
    name, _, classes = asked.lower().partition(":")
    known = {"scl": tuple(_SCL), "qa_pixel": tuple(_QA_PIXEL)}.get(name)
    if known is None:
        raise SceneError(
            f"`mask` names a quality band and classes of it, such as scl:cloud,shadow "
            f"or qa_pixel:cloud; got {asked!r}"
        )
    if bands.count(name) != 1:
        raise SceneError(
            f"`mask={asked}` needs one band named {name}; the scene has "
            f"{', '.join(band or '(unnamed)' for band in bands)}; add it, for instance "
            f"with `bands={name}=FILE`"
        )
    wanted = [each.strip() for each in classes.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in known]
    if unknown or not wanted:
        raise SceneError(
            f"`mask={asked}`: {name} has no class "
            f"{', '.join(unknown) or '(none given)'}; its classes are "
            f"{', '.join(known)}"
        )
    band = bands.index(name)
    if name == "scl":
        return Quality(band, tuple(sorted(v for each in wanted for v in _SCL[each])))
    return Quality(band, bits=sum(1 << _QA_PIXEL[each] for each in set(wanted)))
