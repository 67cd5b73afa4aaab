"""Points to label: how many of each class, and which.

A seed and its position decide each pixel's number, as good as drawn at random.
A class's sample is its pixels with the lowest numbers: a simple random sample without
replacement that depends neither on blocks nor on who reads them. A larger sample of a
class with the same seed holds the smaller one, so that what is labelled stays of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import PlanError
from geoseg.evaluate.blocks import BLOCK
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from geoseg.geo.windowed import BlockMap, ClassRaster

VALUES = NODATA + 1
"""Values of a byte."""
_ROUNDING = 1e-9
"""What an exact share may miss of a whole number."""
_HALVINGS = 100
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_SLACK = 8.0
"""Standard deviations by which the candidates are expected to exceed the sample: they
are too few once in 10^15 samples, and then are looked for again."""


@dataclass(frozen=True, slots=True)
class DrawnPoints:
    """Pixels that were drawn; arrays of shape ``(point,)``."""

    rows: NDArray[np.int64]
    """The row of each."""
    cols: NDArray[np.int64]
    """The column of each."""
    ids: NDArray[np.uint8]
    """The map's class there."""


def count_classes(
    raster: ClassRaster, *, block: int = BLOCK, map_blocks: BlockMap = map
) -> NDArray[np.int64]:
    """Count the pixels of each value of a map, shape ``(256,)``."""
    total = np.zeros(VALUES, np.int64)
    for counts in map_blocks(partial(_count_block, raster), _windows(raster, block)):
        total += counts
    return total


def count_pairs(
    raster: ClassRaster,
    other: ClassRaster,
    *,
    block: int = BLOCK,
    map_blocks: BlockMap = map,
) -> NDArray[np.int64]:
    """Count the pixels of each pair of values of two rasters, shape ``(256, 256)``."""
    total = np.zeros((VALUES, VALUES), np.int64)
    task = partial(_count_pairs_block, raster, other)
    for counts in map_blocks(task, _windows(raster, block)):
        total += counts
    return total


def allocate(
    points: int,
    shares: NDArray[np.float64],
    *,
    pixels: NDArray[np.int64],
    minimum: int,
) -> NDArray[np.int64]:
    """Share points among classes, each with a minimum, none with more than it has.

    Classes whose share is below the minimum get it, and the others share what is left;
    rounding goes to the largest remainders, and on a tie to the first.

    Args:
        points: How many in all.
        shares: What each class should get of them, in any unit; more than 0 for
            classes that have pixels.
        pixels: How many pixels each has: 0 for a class that gets nothing.
        minimum: How many each gets at least, or all its pixels where it has fewer.

    Returns:
        Points of each class, which sum to ``points``.

    Raises:
        PlanError: The minimum takes more points than there are, or there are fewer
            pixels than points.

    Example:
        >>> pixels = np.array([100, 10_000, 90_000])
        >>> allocate(100, pixels / 1, pixels=pixels, minimum=10).tolist()
        [10, 10, 80]

    """
    least = np.minimum(minimum, pixels)
    if points < least.sum():
        raise PlanError(
            f"{points:,} points are too few for {minimum} in each of the "
            f"{(pixels > 0).sum()} classes of the map; draw at least "
            f"{least.sum():,}, or lower the minimum"
        )
    if points > pixels.sum():
        raise PlanError(
            f"{points:,} points cannot be drawn from a map of {pixels.sum():,} pixels"
        )
    wanted = np.where(pixels > 0, shares, 0.0)
    worth = _root(lambda worth: np.clip(worth * wanted, least, pixels).sum(), points)
    exact = np.clip(worth * wanted, least, pixels)
    whole = np.floor(exact + _ROUNDING).astype(np.int64)
    spare = points - int(whole.sum())
    order = np.lexsort((whole - exact, whole >= pixels))  # stable: ties to the first
    whole[order[:spare]] += 1
    return whole


def _root(rising: Callable[[float], float], target: float) -> float:
    """Find where a function that rises reaches a value, by halving."""
    low, high = 0.0, 1.0
    while rising(high) < target:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return high


def draw(
    raster: ClassRaster,
    wanted: NDArray[np.int64],
    counts: NDArray[np.int64],
    *,
    seed: int,
    block: int = BLOCK,
    map_blocks: BlockMap = map,
) -> DrawnPoints:
    """Draw pixels of a map at random within each class.

    Memory depends on the block and the sample, not on the map, which is read once.

    Args:
        raster: The map.
        wanted: How many pixels of each value to draw, shape ``(256,)``.
        counts: How many there are, as `count_classes` gives them.
        seed: Another seed gives another sample.
        block: Side of what is read at a time, in pixels.
        map_blocks: What applies a function to every block, such as `map`.

    Returns:
        The pixels in an order that says nothing of their class.

    """
    slack = _SLACK
    while True:
        limits = _limits(wanted, counts, slack)
        task = partial(_draw_block, raster, limits, np.uint64(seed))
        found = list(map_blocks(task, _windows(raster, block)))
        index, ids, numbers = (
            np.concatenate(each) for each in zip(*found, strict=True)
        )
        order = np.lexsort((index, numbers, ids))
        index, ids, numbers = index[order], ids[order], numbers[order]
        firsts = np.searchsorted(ids, ids)
        chosen = np.arange(len(ids)) - firsts < wanted[ids]
        if chosen.sum() == wanted.sum():
            break
        slack *= 2
    index, ids, numbers = index[chosen], ids[chosen], numbers[chosen]
    order = np.lexsort((index, _mixed(numbers)))
    rows, cols = np.divmod(index[order], raster.geobox.width)
    return DrawnPoints(rows, cols, ids[order])


def _limits(
    wanted: NDArray[np.int64], counts: NDArray[np.int64], slack: float
) -> NDArray[np.uint64]:
    """Choose the highest number that a candidate of each value may have."""
    enough = wanted + slack * np.sqrt(wanted) + slack**2
    enough[wanted == 0] = 0
    chance = np.minimum(enough / np.maximum(counts, 1), 1.0)
    return np.array([min(int(each * 2**64), 2**64 - 1) for each in chance], np.uint64)


def _windows(raster: ClassRaster, size: int) -> Iterator[Window]:
    height, width = raster.geobox.height, raster.geobox.width
    for row, col in product(range(0, height, size), range(0, width, size)):
        yield Window(row, col, min(size, height - row), min(size, width - col))


def _count_block(raster: ClassRaster, window: Window) -> NDArray[np.int64]:
    return np.bincount(raster.read(window).ravel(), minlength=VALUES)


def _count_pairs_block(
    raster: ClassRaster, other: ClassRaster, window: Window
) -> NDArray[np.int64]:
    cells = raster.read(window).astype(np.int64) * VALUES + other.read(window)
    counts = np.bincount(cells.ravel(), minlength=VALUES**2)
    return counts.reshape(VALUES, VALUES)


def _draw_block(
    raster: ClassRaster, limits: NDArray[np.uint64], seed: np.uint64, window: Window
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint64]]:
    """List the candidates of a block: position in the map, value and number."""
    values = raster.read(window)
    rows = np.arange(window.height, dtype=np.int64)[:, np.newaxis] + window.row
    cols = np.arange(window.width, dtype=np.int64) + window.col
    index = rows * raster.geobox.width + cols
    numbers = _numbers(seed, index)
    candidates = numbers <= limits[values]
    return index[candidates], values[candidates], numbers[candidates]


def _numbers(seed: np.uint64, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Give positions their numbers: the SplitMix64 generator, asked anywhere.

    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators,
    OOPSLA: output ``i`` is a mix of ``i`` times a constant.
    """
    start = _mixed(np.atleast_1d(seed + np.uint64(1)))
    return _mixed(start + (index.astype(np.uint64) + np.uint64(1)) * _STEP)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix all bits of 64-bit numbers; arithmetic wraps around, as it should."""
    for shift, factor in _MIX:
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))
