"""What a class map holds, measured while its pixels are in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox

SQUARE = 1024
"""Side of what is read at a time while a map is measured: whole blocks of a COG."""
_VALUES = NODATA + 1
"""How many values a byte can have."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much ground something covers."""

    pixels: int
    """In pixels."""
    area_m2: float
    """In square metres."""


class Extents:
    """How much ground each value of a map covers.

    Areas are no whole numbers, and their sum depends on the order: give what `squares`
    cuts a map into, in that order, and every job has the same answer.
    """

    def __init__(self, geobox: GeoBox) -> None:
        """Begin with nothing.

        Args:
            geobox: The map's plane.

        """
        self._geobox = geobox
        self._counts, self._areas = np.zeros(_VALUES, np.int64), np.zeros(_VALUES)

    def add(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Add a window of the plane with its values, as many as it has pixels."""
        plane = np.ascontiguousarray(values).reshape(window.height, window.width)
        lines = _area_lines(self._geobox, window)
        _add_extents(plane, *lines, self._counts, self._areas)

    def found(self) -> dict[int, Extent]:
        """Give an extent for each value that occurs, rising by value, nodata too."""
        return {
            int(value): Extent(int(self._counts[value]), float(self._areas[value]))
            for value in np.flatnonzero(self._counts)
        }


class ClassMeans:
    """The mean of a measure over the pixels of each class, parts in any order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pairs = np.zeros((_VALUES, _VALUES), np.int64)

    def add(self, classes: NDArray[np.uint8], measure: NDArray[np.uint8]) -> None:
        """Add a part of the map and of the measure, of one shape; 255 is no data."""
        _count_pairs(classes.ravel(), measure.ravel(), self._pairs)

    def found(self) -> dict[int, float]:
        """Give a mean for each value that has a measured pixel; nodata has none."""
        pairs = self._pairs.copy()
        pairs[NODATA] = pairs[:, NODATA] = 0
        counts, sums = pairs.sum(axis=1), pairs @ np.arange(_VALUES)
        return {int(i): float(sums[i] / counts[i]) for i in np.flatnonzero(counts)}


def pixel_areas(geobox: GeoBox, window: Window) -> NDArray[np.float64]:
    """Give the area of each pixel of a window on the ground, in square metres.

    A square of pixels is asked about at its own nodes: in degrees and on Mercator's
    maps pixels shrink towards the poles, in other CRSs to all sides.
    """
    return geobox.crop(window).ground_field().grid_areas(*_centres(window))


def _area_lines(
    geobox: GeoBox, window: Window
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Give the same as lines between which it is interpolated."""
    return geobox.crop(window).ground_field().grid_lines(*_centres(window))


def _centres(window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cols = np.arange(window.width, dtype=np.float64) + 0.5
    rows = np.arange(window.height, dtype=np.float64) + 0.5
    return cols, rows


@kernel
def _add_extents(  # a kernel takes no objects
    values: NDArray[np.uint8],
    lines: NDArray[np.float64],
    above: NDArray[np.int64],
    down: NDArray[np.float64],
    counts: NDArray[np.int64],
    areas: NDArray[np.float64],
) -> None:
    """Add to each value's pixels and area, in the order of pixels.

    Args:
        values: Of pixels, shape ``(y, x)``.
        lines: Areas of pixels along some lines, shape ``(line, x)``.
        above: The line above each row.
        down: How far each row is from there to the next.
        counts: Pixels of each value.
        areas: Square metres of each value.

    """
    for i in range(values.shape[0]):
        upper, lower, share = lines[above[i]], lines[above[i] + 1], down[i]
        for j in range(values.shape[1]):
            value = values[i, j]
            counts[value] += 1
            areas[value] += upper[j] * (1 - share) + lower[j] * share


@kernel
def _count_pairs(
    ones: NDArray[np.uint8], others: NDArray[np.uint8], pairs: NDArray[np.int64]
) -> None:
    """Count how often each two values are in one place."""
    for i in range(len(ones)):
        pairs[ones[i], others[i]] += 1


def squares(area: Window, side: int = SQUARE) -> Iterator[Window]:
    """Cut an area into squares that are read at a time, row by row."""
    for row in range(*area.rows, side):
        for col in range(*area.cols, side):
            height, width = area.rows[1] - row, area.cols[1] - col
            yield Window(row, col, min(side, height), min(side, width))
