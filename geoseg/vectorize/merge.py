"""Small patches merged: in the network that is drawn, and in the map's pixels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.vectorize.blocks import BLOCK, MapBlock, cut, label_block, trace_blocks
from geoseg.vectorize.network import join
from geoseg.vectorize.recolour import group_by_corners, recolour, with_outside
from geoseg.vectorize.regions import separate
from geoseg.vectorize.sieve import sieve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windowed import BlockMap, ClassRaster
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.drawing import Drawing
    from geoseg.vectorize.network import Network

_SHARES = 1_000_000
"""Areas are whole millionths of the smallest that is kept: sums without order."""
_MANY_TIMES = 1_000_000
"""How large a region needs to be to be as large as any."""
_AT_ONCE = 1 << 18
"""Regions that are measured at once."""


def merge_small(
    network: Network, geobox: GeoBox, drawing: Drawing, arrays: Arrays
) -> tuple[Network, dict[int, int]]:
    """Merge the patches that are too small; count the pixels each class lost.

    The network that is given is used up.
    """
    before = network.regions
    classes = _classes_after(network, geobox, drawing, arrays)
    pixels = np.zeros(NODATA + 1, np.int64)
    _count_lost(before.classes, classes, before.pixels, pixels)
    merged = {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}
    return (recolour(network, classes, arrays) if merged else network), merged


@kernel
def _count_lost(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    pixels: NDArray[np.int64],
    lost: NDArray[np.int64],
) -> None:
    """Add the pixels of regions that changed class to those that each class lost."""
    for region in range(len(before)):
        if before[region] != after[region]:
            lost[before[region]] += pixels[region]


def merged_blocks(
    class_map: ClassRaster,
    drawing: Drawing,
    *,
    arrays: Arrays,
    block: int = BLOCK,
    map_blocks: BlockMap = map,
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Give the pixels of a class map after small patches have been merged.

    They are those of the polygons that the same drawing gives, before lines are
    straightened. The map is read twice.

    Args:
        class_map: Class ids, 255 where there is none.
        drawing: The smallest patch, and which pixels are connected; the rest
            does not matter here.
        arrays: Makes what grows with the map.
        block: Side, in pixels, of the blocks that are read at once.
        map_blocks: What applies a function to every block, such as `map`.

    Yields:
        Windows that together cover the map once, in any order, and the class
        ids in each, shape ``(y, x)``.

    """
    traced = trace_blocks(class_map, None, block, map_blocks)
    network = join(traced, class_map.geobox, arrays)
    classes = _classes_after(network, class_map.geobox, drawing, arrays)
    values, labels = with_outside(classes, arrays), network.labels
    del network
    tasks = (
        (each, values[labels.of(each.index)]) for each in cut(class_map.geobox, block)
    )
    for painted in map_blocks(partial(_repaint, class_map), tasks):
        if painted is not None:
            yield painted


def _classes_after(
    network: Network, geobox: GeoBox, drawing: Drawing, arrays: Arrays
) -> NDArray[np.uint8]:
    """Find the class of every region after merging."""
    if drawing.min_pixels <= 1 and not drawing.min_area_m2:
        return network.regions.classes
    if drawing.connectivity == 8:  # noqa: PLR2004 - a pixel's neighbours
        patches = group_by_corners(network, arrays)
    else:
        patches = separate(arrays, len(network.regions.classes))
    measured = _sizes(network, geobox, drawing, arrays)
    return sieve(network, geobox, measured, patches, arrays)


def _sizes(
    network: Network, geobox: GeoBox, drawing: Drawing, arrays: Arrays
) -> tuple[NDArray[np.int64], float]:
    """Give the size of every region, and the smallest that is kept, in one unit.

    On the ground a region's pixels are as large as its first one: where that matters,
    the region is far larger than any smallest patch.
    """
    pixels, firsts = network.regions.pixels, network.regions.firsts
    if not drawing.min_area_m2:
        return pixels, drawing.min_pixels
    sizes, field = arrays.zeros(len(pixels), np.int64), geobox.ground_field()
    for start in range(0, len(pixels), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        rows, cols = np.divmod(firsts[some], geobox.width)
        areas = pixels[some] * field.areas(cols + 0.5, rows + 0.5)
        shares = np.minimum(areas / drawing.min_area_m2, _MANY_TIMES)
        sizes[some] = np.rint(shares * _SHARES)
    return sizes, _SHARES


def _repaint(
    class_map: ClassRaster, task: tuple[MapBlock, NDArray[np.uint8]]
) -> tuple[Window, NDArray[np.uint8]] | None:
    """Give a block's pixels the classes of its labels; None beyond the map."""
    block, values = task
    plane = Window(0, 0, class_map.geobox.height, class_map.geobox.width)
    inside = block.window.intersection(plane)
    if inside is None:
        return None
    _, labels, numbers = label_block(class_map, block)
    own = labels[1 : inside.height + 1, 1 : inside.width + 1]
    return inside, values[numbers[own]]
