"""Ground beside change as a stratum of its own.

Most change that a map misses lies beside change that it shows, and where it is drawn
within all unchanged ground, a few points of a sample carry it all. In a stratum along
the borders of change such points weigh little, and the interval of an area of change is
narrower: Olofsson et al. (2020), Mitigating the effects of omission errors on area and
area change estimates, Remote Sensing of Environment 236, 111492.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.evaluate.transitions import UNCHANGED
from geoseg.geo.legend import NODATA, UNKNOWN, LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster.extents import squares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windowed import ClassRaster

_NAME, _COLOUR = "no change beside change", "#a8a8a8"
WIDTH = 2
"""Pixels, along rows, columns and diagonals, that are beside change."""
_WRONG, _BESIDE, _ELSEWHERE = 0.3, 0.05, 0.01
"""What share is expected to be otherwise than mapped: of what is shown as changed,
of unchanged ground beside it, and of other unchanged ground."""


@dataclass(frozen=True, slots=True)
class Borders:
    """The transitions of a map with the unchanged ground beside them set apart."""

    source: ClassRaster
    """The map of transitions."""
    transitions: Legend
    """Its classes, of which one is unchanged ground."""

    @property
    def geobox(self) -> GeoBox:
        """The map's plane."""
        return self.source.geobox

    @property
    def id(self) -> int:
        """The id of ground beside change."""
        return self.transitions.ids[-1] + 1

    def legend(self) -> Legend:
        """Name the strata; where no id is left, the transitions alone."""
        if self.id > UNKNOWN:
            return self.transitions
        beside = LandClass(self.id, _NAME, _COLOUR)
        return Legend((*self.transitions.classes, beside))

    def parts(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Give the strata window by window."""
        for window in squares(Window(0, 0, self.geobox.height, self.geobox.width)):
            yield window, self.read(window)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read the strata of a window, shape ``(y, x)``; 255 where there is none."""
        around = Window.between(
            _widened(window.rows, self.geobox.height),
            _widened(window.cols, self.geobox.width),
        )
        inside = window.relative_to(around).slices()
        found = self.source.read(around)
        own = found[inside]
        if self.id > UNKNOWN:
            return own
        changed = (found != UNCHANGED.id) & (found != NODATA)
        near = _spread(changed)[inside] & (own == UNCHANGED.id)
        return np.where(near, np.uint8(self.id), own)


def shows_change(legend: Legend) -> bool:
    """Return whether a map's classes, or strata, are those of a map of change."""
    return legend.classes[0] == UNCHANGED


def change_shares(pixels: NDArray[np.int64], legend: Legend) -> NDArray[np.float64]:
    """Say how a sample is shared for the most exact areas of change.

    As Neyman's allocation has it, by pixels and the deviation of being right; how often
    that is so is taken to be the same for all maps of change, whose interval is about
    as narrow where it is half or twice as often.

    Args:
        pixels: How many there are of each value, shape ``(256,)``.
        legend: Transitions, with or without ground beside change.

    """
    wrong = np.full(pixels.shape, _WRONG)
    wrong[UNCHANGED.id] = _ELSEWHERE
    wrong[[each.id for each in legend if each.name == _NAME]] = _BESIDE
    shares: NDArray[np.float64] = pixels * np.sqrt(wrong * (1 - wrong))
    return shares


def _widened(span: tuple[int, int], size: int) -> tuple[int, int]:
    return max(0, span[0] - WIDTH), min(size, span[1] + WIDTH)


def _spread(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen a mask by so many pixels on all sides, along one axis after the other."""
    for _ in range(2):
        wide = mask.copy()
        for step in range(1, WIDTH + 1):
            wide[step:] |= mask[:-step]
            wide[:-step] |= mask[step:]
        mask = wide.T
    return mask
