"""A map against reference points: what the map says at each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geoseg.evaluate.blocks import BLOCK
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.windowed import BlockMap, ClassRaster


def look_up(
    raster: ClassRaster,
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    *,
    block: int = BLOCK,
    map_blocks: BlockMap = map,
) -> NDArray[np.uint8]:
    """Read a raster at single pixels, each block that holds any once.

    Args:
        raster: The map, or its confidences.
        rows: Rows on its plane, shape ``(point,)``.
        cols: Columns on its plane, shape ``(point,)``.
        block: Side of what is read at a time, in pixels.
        map_blocks: What applies a function to every block, such as `map`.

    Returns:
        The values, shape ``(point,)``.

    """
    values = np.empty(rows.shape, np.uint8)
    plane = Window(0, 0, raster.geobox.height, raster.geobox.width)
    blocks = _blocks(plane, rows, cols, block)
    for points, found in map_blocks(partial(_look_up_block, raster), blocks):
        values[points] = found
    return values


def _blocks(
    plane: Window, rows: NDArray[np.int64], cols: NDArray[np.int64], size: int
) -> Iterator[tuple[Window, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """List windows, each with which points are in it, and where."""
    keys = np.stack([rows // size, cols // size], axis=1)
    squares, of_point = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(of_point, kind="stable")
    ends = np.cumsum(np.bincount(of_point, minlength=len(squares)))
    for (row, col), points in zip(
        squares.tolist(), np.split(order, ends[:-1]), strict=True
    ):
        window = Window(row * size, col * size, size, size).intersection(plane)
        if window is not None:
            yield window, points, rows[points] - window.row, cols[points] - window.col


def _look_up_block(
    raster: ClassRaster,
    item: tuple[Window, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    window, points, rows, cols = item
    return points, raster.read(window)[rows, cols]
