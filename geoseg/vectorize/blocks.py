"""Blocks: a class map read, labelled and traced piece by piece.

Each block reads one pixel more above and to the left than it owns. The pixels
that two blocks have both read are where their labels are joined, and every line
between two pixels has both of them in the block that traces it::

    . a a a        . what the block reads beyond its own pixels
    . b b a        the last blocks own one row and one column of nodata
    . b b a        beyond the map, so that its outline is traced like any line
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geoseg.errors import VectorError
from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.storage.prefetch import read_ahead
from geoseg.vectorize.arcs import Arcs, mark_corners, trace
from geoseg.vectorize.regions import label_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windowed import BlockMap, ClassRaster

Item = TypeVar("Item")
Made = TypeVar("Made")

BLOCK = 2048
"""The side of a block that is a good size, in pixels."""
_SMALLEST = 2
"""The smallest block: lines on a block's edge are one piece for each pixel."""
_MOST_THREADS = 4
"""Blocks that are read and traced at a time, each in some 70 MB: what comes after them
takes one thread, and as long as four take for the blocks."""


@dataclass(frozen=True, slots=True)
class MapBlock:
    """Where a block is, and in which row and column of blocks."""

    index: tuple[int, int]
    """Row and column in the table of blocks."""
    window: Window
    """The pixels it owns; the last ones own one row or column beyond the map."""


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a block; label ``k`` is entry ``k - 1``."""

    classes: NDArray[np.uint8]
    """Class ids, shape ``(region,)``."""
    firsts: NDArray[np.int64]
    """The map's index, row after row, of each region's first pixel."""
    pixels: NDArray[np.int64]
    """How many pixels of the region the block owns."""
    confidence: NDArray[np.int64]
    """The sum of the confidences, in percent, of those that have one."""
    sure: NDArray[np.int64]
    """How many of those pixels have a confidence."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What is kept of a block: nothing that grows with its pixels."""

    index: tuple[int, int]
    """Row and column in the table of blocks."""
    pixels: int
    """How many pixels the block owns."""
    regions: Regions
    """The regions that the block has seen."""
    arcs: Arcs
    """The arcs between them."""
    edges: tuple[NDArray[np.int32], ...]
    """Labels of the first row, the first column, the last row and the last
    column that the block has read."""


def cut(geobox: GeoBox, size: int) -> Iterator[MapBlock]:
    """Cut a map into square blocks, row by row.

    Args:
        geobox: The map's plane.
        size: Side of a block in pixels.

    Raises:
        VectorError: Blocks would be too small.

    """
    if size < _SMALLEST:
        raise VectorError(
            f"blocks need a side of at least {_SMALLEST} pixels, got {size}; "
            f"{BLOCK} is a good size"
        )
    height, width = geobox.height + 1, geobox.width + 1
    for i, row in enumerate(range(0, height, size)):
        rows = row, min(row + size, height)
        for j, col in enumerate(range(0, width, size)):
            cols = col, min(col + size, width)
            yield MapBlock((i, j), Window.between(rows, cols))


def in_threads(
    function: Callable[[Item], Made],
    items: Iterable[Item],
) -> Iterator[Made]:
    """Do what `map` does in a few threads, a few items before they are asked for."""
    most = min(os.cpu_count() or 1, _MOST_THREADS)
    return (made for _, made in read_ahead(function, items, most))


def trace_blocks(
    class_map: ClassRaster,
    confidence: ClassRaster | None,
    size: int,
    map_blocks: BlockMap,
) -> Iterable[Traced]:
    """Trace a map block by block.

    Args:
        class_map: Class ids, 255 where there is none.
        confidence: Confidence of each pixel in percent; None where there is none.
        size: Side of a block in pixels.
        map_blocks: What applies a function to every block, such as `map`.

    Raises:
        VectorError: The confidence has other pixels than the map, or blocks would be
            too small.

    """
    if confidence is not None and not class_map.geobox.same_plane_as(confidence.geobox):
        raise VectorError(
            f"the confidence must have the pixels of the class map, "
            f"{class_map.geobox}, but has {confidence.geobox}"
        )
    task = partial(trace_block, class_map, confidence)
    return map_blocks(task, cut(class_map.geobox, size))


def trace_block(
    class_map: ClassRaster, confidence: ClassRaster | None, block: MapBlock
) -> Traced:
    """Read, label and trace one block."""
    percent = None if confidence is None else _read(confidence, block.window)
    pixels = BlockPixels(block, _read(class_map, block.window), percent)
    return trace_pixels(pixels, class_map.geobox.width)


@dataclass(frozen=True, slots=True)
class BlockPixels:
    """The pixels that a block reads: one row and one column before its own, too."""

    block: MapBlock
    """Which block it is."""
    classes: NDArray[np.uint8]
    """Class ids, shape ``(y, x)``; nodata beyond the map."""
    confidence: NDArray[np.uint8] | None
    """Percent, of the same shape; None where there is none. Of the row and the column
    before the block's own nothing is asked."""


def trace_pixels(pixels: BlockPixels, width: int) -> Traced:
    """Label and trace the pixels of a block, of a map of so many columns."""
    block, classes, percent = pixels.block, pixels.classes, pixels.confidence
    if percent is None:
        percent = np.empty((0, 0), np.uint8)
    labels, numbers = label_pixels(classes, NODATA)
    origin = block.window.row, block.window.col
    tables = _tabulate(classes, labels, numbers, percent, (*origin, width))
    return Traced(
        index=block.index,
        pixels=block.window.pixels,
        regions=Regions(*tables),
        arcs=trace(mark_corners(classes), labels, numbers, origin),
        edges=(
            numbers[labels[0]],
            numbers[labels[:, 0]],
            numbers[labels[-1]],
            numbers[labels[:, -1]],
        ),
    )


def label_block(
    class_map: ClassRaster, block: MapBlock
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    """Read a block and label its pixels, always the same way.

    Returns:
        Class ids and provisional labels of the block's own pixels and of one
        row and one column before them, shape ``(y, x)``; and the label that
        stands for each provisional one.

    """
    classes = _read(class_map, block.window)
    return classes, *label_pixels(classes, NODATA)


def _read(raster: ClassRaster, window: Window) -> NDArray[np.uint8]:
    """Read a block's pixels and those before them; nodata beyond the map."""
    view = Window(window.row - 1, window.col - 1, window.height + 1, window.width + 1)
    plane = Window(0, 0, raster.geobox.height, raster.geobox.width)
    pixels = np.full((view.height, view.width), NODATA, np.uint8)
    inside = view.intersection(plane)
    if inside is not None:
        pixels[inside.relative_to(view).slices()] = raster.read(inside)
    return pixels


@kernel
def _tabulate(
    classes: NDArray[np.uint8],
    labels: NDArray[np.int32],
    numbers: NDArray[np.int32],
    percent: NDArray[np.uint8],
    position: tuple[int, int, int],
) -> tuple[
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
]:
    """Give each region its class, first pixel, pixel count and confidence.

    Args:
        classes: Class ids, shape ``(y, x)``.
        labels: Provisional labels, shape ``(y, x)``.
        numbers: The region of each provisional label.
        percent: Confidences, shape ``(y, x)``, or empty.
        position: Row and column in the map of the first own pixel; the map's width.

    Returns:
        The fields of `Regions`, in their order.

    """
    row, col, width = position
    count = 0
    for number in numbers:
        count = max(count, number)
    ids = np.empty(count, np.uint8)
    firsts = np.full(count, -1, np.int64)
    pixels = np.zeros(count, np.int64)
    sums = np.zeros(count, np.int64)
    sure = np.zeros(count, np.int64)
    for i in range(classes.shape[0]):
        for j in range(classes.shape[1]):
            region = numbers[labels[i, j]] - 1
            if region < 0:
                continue
            if firsts[region] < 0:
                firsts[region] = (row + i - 1) * width + col + j - 1
                ids[region] = classes[i, j]
            if i == 0 or j == 0:
                continue
            pixels[region] += 1
            if percent.size > 0 and percent[i, j] != NODATA:
                sums[region] += percent[i, j]
                sure[region] += 1
    return ids, firsts, pixels, sums, sure
