"""The loops over pixels of reading on another grid: where a pixel is, what is there."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = 32
"""Pixels a side of a cell, between whose corners coordinates are interpolated."""
STEPS = 128
"""Coordinates are whole parts of a pixel, so many each: the weights of all are a table,
and sums of whole numbers exact."""
NEAREST, BILINEAR, CUBIC = 0, 1, 2
_Extent = tuple[int, int, int, int]


@kernel
def interpolate(
    node: NDArray[np.float64], row: int, col: int, found: NDArray[np.float64]
) -> None:
    """Interpolate between the corners of cells at the centres of pixels.

    Args:
        node: Coordinates at the corners, shape (axis, y, x).
        row: How many pixels the first pixel lies below the first corner.
        col: How many pixels it lies to the right of it.
        found: Where the coordinates go, shape (axis, y, x).

    """
    axes, height, width = found.shape
    for i in range(height):
        node_row, y = divmod(row + i, CELL)
        down = (y + 0.5) / CELL
        for axis in range(axes):
            upper, lower = node[axis, node_row], node[axis, node_row + 1]
            for cell in range(col // CELL, (col + width - 1) // CELL + 1):
                left = upper[cell] + down * (lower[cell] - upper[cell])
                right = upper[cell + 1] + down * (lower[cell + 1] - upper[cell + 1])
                first = cell * CELL - col
                for j in range(max(first, 0), min(first + CELL, width)):
                    between = left + (j - first + 0.5) / CELL * (right - left)
                    found[axis, i, j] = np.floor(between * STEPS + 0.5) / STEPS


@kernel
def extent(
    rows: NDArray[np.float64], cols: NDArray[np.float64], height: int, width: int
) -> _Extent:
    """Find the pixels of a file that points lie in.

    Args:
        rows: Of the points, in pixels of the file; those outside do not count.
        cols: See there.
        height: The file's rows.
        width: Its columns.

    Returns:
        The first row and the one behind the last, and columns; nothing is between them
        where no point is inside.

    """
    top, left, bottom, right = float(height), float(width), -1.0, -1.0
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            y, x = rows[i, j], cols[i, j]
            if 0 <= y < height and 0 <= x < width:
                top, bottom = min(top, y), max(bottom, y)
                left, right = min(left, x), max(right, x)
    return int(top), int(bottom) + 1, int(left), int(right) + 1


@lru_cache(maxsize=32)
def weights(method: int, scale: float) -> NDArray[np.float64]:
    """Weigh the pixels around a point along one axis, for each position of the point.

    Args:
        method: `BILINEAR`, a triangle, or `CUBIC`, Keys's with a = -0.5.
        scale: How many pixels the kernel is stretched over for each of its own.

    Returns:
        For the method, and for the triangle that stands in for it beside pixels without
        data, a weight for each position between two pixels' centres, `STEPS` of them,
        and each pixel within reach: shape ``(2, position, pixel)``. As many pixels are
        before the point as are behind it.

    """
    reach = math.ceil(max(method, 1) * scale)
    position = np.arange(STEPS)[:, np.newaxis] / STEPS
    x = np.abs(np.arange(1 - reach, reach + 1) - position) / scale
    triangle = np.maximum(1 - x, 0)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    keys = np.where(x < 1, near, np.where(x < 2, far, 0))  # noqa: PLR2004  # its end
    both = np.stack((keys if method == CUBIC else triangle, triangle))
    shares: NDArray[np.float64] = both / both.sum(axis=2, keepdims=True)
    return shares


def footprints(data: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return where a rectangle of pixels that begins at a pixel is full of data.

    Args:
        data: Where there is data, shape ``(band, y, x)``.
        height: The rectangle's rows.
        width: Its columns.

    Returns:
        The same shape; of no meaning where the rectangle ends outside.

    """
    if data.all():
        return data
    full = data.copy()
    for axis, length in ((1, height), (2, width)):
        known = 1
        lines = np.swapaxes(full, axis, 1)
        while known < length:
            step = min(known, length - known)
            lines[:, :-step] &= lines[:, step:]
            lines[:, -step:] = False
            known += step
    return full


@kernel
def _mean(
    pixels: NDArray[np.generic],
    data: NDArray[np.bool_],
    first: int,
    width: int,
    down: NDArray[np.float64],
    across: NDArray[np.float64],
) -> tuple[float, bool]:
    """Weigh pixels with data in a rectangle: their mean, and whether some are without.

    The rectangle begins at an index of the flat pixels, whose rows have a width.
    """
    total, known, lacks = 0.0, 0.0, False
    for a in range(len(down)):
        for b in range(len(across)):
            weight, at = down[a] * across[b], first + a * width + b
            if data[at]:
                total += weight * pixels[at]
                known += weight
            elif weight != 0:
                lacks = True
    return total / known, lacks


@kernel
def gather(  # noqa: C901, PLR0913, PLR0917  # a kernel takes no objects; a call costs more than a pixel
    pixels: NDArray[np.generic],
    data: NDArray[np.bool_],
    full: NDArray[np.bool_],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    down: NDArray[np.float64],
    across: NDArray[np.float64],
    nearest: NDArray[np.bool_],
    limits: tuple[float, float],
    found: NDArray[np.generic],
    has: NDArray[np.bool_],
) -> None:
    """Read bands at some points.

    A point has data where the pixel that it lies in has. Pixels without data get no
    weight, and the others share what is missing. Where one of the cubic kernel's has
    none, the triangle stands in for it: its weights are never negative, so that their
    sum cannot vanish.

    Args:
        pixels: A part of the bands, shape ``(band, y, x)``, with all that points reach.
        data: Where they have data: the same shape, or ``(1, y, x)``.
        full: Where all have data within reach of a point whose first pixel this is, as
            `footprints` says; the shape of `data`.
        rows: Of the points, in pixels of the part; (0.5, 0.5) is the first's centre.
        cols: See there.
        down: The weights of rows, as `weights` gives them.
        across: Those of columns.
        nearest: For each band, whether points show the pixel that they lie in instead.
        limits: What the bands' dtype can hold; values are rounded and kept in it. Any
            value where both are 0.
        found: Where values go, in the bands' dtype, shape ``(band, *points)``; 0 where
            there is no data.
        has: Where it goes whether there is, a plane for each of `data`.

    """
    bands, height, width = pixels.shape
    flat = pixels.reshape(bands, height * width)
    there = data.reshape(len(data), height * width)
    whole = full.reshape(len(data), height * width)
    tall, wide = down.shape[2], across.shape[2]
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            y, x = rows[i, j], cols[i, j]
            inside = 0 <= y < height and 0 <= x < width
            if not inside:
                y = x = 0.0
            # An index that cannot be negative costs less.
            own = np.uint64(int(y) * width + int(x))
            row, col = math.floor(y - 0.5), math.floor(x - 0.5)
            lower = np.uint64((y - 0.5 - row) * STEPS)
            right = np.uint64((x - 0.5 - col) * STEPS)
            first = (row + 1 - tall // 2) * width + col + 1 - wide // 2
            for k in range(bands):
                band, layer = np.uint64(k), np.uint64(min(k, len(data) - 1))
                has[layer, i, j] = inside and there[layer, own]
                if not has[layer, i, j]:
                    found[band, i, j] = 0
                    continue
                if nearest[band]:
                    found[band, i, j] = flat[band, own]
                    continue
                if whole[layer, np.uint64(first)]:
                    value = 0.0
                    for a in range(tall):
                        at = np.uint64(first + a * width)
                        total = 0.0
                        for b in range(wide):
                            step = np.uint64(b)
                            total += across[0, right, step] * flat[band, at + step]
                        value += down[0, lower, np.uint64(a)] * total
                else:
                    value, lacks = _mean(
                        flat[band],
                        there[layer],
                        first,
                        width,
                        down[0, lower],
                        across[0, right],
                    )
                    if lacks:
                        value, _ = _mean(
                            flat[band],
                            there[layer],
                            first,
                            width,
                            down[1, lower],
                            across[1, right],
                        )
                if limits[1] > limits[0]:
                    value = min(max(np.rint(value), limits[0]), limits[1])
                found[band, i, j] = value
