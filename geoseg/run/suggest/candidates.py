"""One pixel of each cell of a map, whatever parts the map comes in.

In each square cell one pixel is drawn among those of which the model is not certain, in
one pass over the parts in any order: that with the least number, which hangs on the
pixel's position alone and is as good as chance. All is computed in integers, so that no
order ever shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geoseg.geo.windows import Window

MOST = 8192
"""Cells of a map, about: so many candidates there are at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pixels of a map; arrays of shape ``(pixel,)``, in the order of their cells."""

    cells: NDArray[np.int64]
    """The number of each pixel's cell."""
    lots: NDArray[np.int64]
    """What decided among those of its cell: the least."""
    rows: NDArray[np.int64]
    """The row of each in the scene."""
    cols: NDArray[np.int64]
    """The column."""
    classes: NDArray[np.uint8]
    """The class id that the model gives it."""
    confidences: NDArray[np.uint8]
    """The confidence of that, in percent."""
    entropies: NDArray[np.uint8]
    """How evenly its probability is spread, in 1/250."""

    def __len__(self) -> int:
        """Count them."""
        return len(self.cells)

    def only(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Candidates:
        """Keep some."""
        return Candidates(*(each[which] for each in self._columns()))

    def beside(self, other: Candidates) -> Candidates:
        """Take two sets together, of each cell one pixel."""
        pairs = zip(self._columns(), other._columns(), strict=True)
        both = Candidates(*(np.concatenate(pair) for pair in pairs))
        order = np.lexsort((both.cols, both.rows, both.lots, both.cells))
        found = both.only(order)
        first = np.ones(len(found), bool)
        first[1:] = np.diff(found.cells) > 0
        return found.only(first)

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return (
            *(self.cells, self.lots, self.rows, self.cols),
            *(self.classes, self.confidences, self.entropies),
        )


def draw_candidates(
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    area: Window,
    seed: int,
    most: int = MOST,
) -> Candidates:
    """Draw a pixel of each cell of an area in which one is uncertain.

    Args:
        parts: Windows of the scene, and for each class ids, confidences and
            entropies, shape ``(3, y, x)``; they do not overlap.
        area: What is mapped, in pixels of the scene.
        seed: Another seed draws others.
        most: How many cells it is cut into, about.

    """
    side = max(1, math.ceil(math.sqrt(area.pixels / most)))
    across = -(-area.width // side)
    found = _nothing()
    for window, planes in parts:
        rows, cols = np.nonzero((planes[0] != NODATA) & (planes[2] > 0))
        values = planes[:, rows, cols]
        rows, cols = rows + window.row, cols + window.col
        cells = (rows - area.row) // side * across + (cols - area.col) // side
        lots = chance(rows, cols, seed)
        _, cell = np.unique(cells, return_inverse=True)
        least = np.full(cell.max() + 1 if cell.size else 0, np.iinfo(np.int64).max)
        np.minimum.at(least, cell, lots)
        best = lots == least[cell]
        own = Candidates(cells, lots, rows, cols, *values).only(best)
        found = found.beside(own)
    return found


def chance(
    rows: NDArray[np.int64], cols: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Give pixels numbers from 0 below 2^62, as good as chance, always the same.

    They are bits of SplitMix64 (Steele, Lea and Flood 2014) of seed and position.
    """
    with np.errstate(over="ignore"):
        mixed = np.full(rows.shape, seed, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for each in (rows, cols):
            mixed = mixed ^ each.astype(np.uint64)
            mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(2)).astype(np.int64)


def _nothing() -> Candidates:
    whole, small = np.empty(0, np.int64), np.empty(0, np.uint8)
    return Candidates(whole, whole, whole, whole, small, small, small)
