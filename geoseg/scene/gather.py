"""The loops over pixels of reading on another grid: where a pixel is, what is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geoseg.kernel import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAREST, BILINEAR, CUBIC = 0, 1, 2


@kernel
def interpolate(
    node: NDArray[np.float64],
    row: int,
    col: int,
    cell: int,
    found: NDArray[np.float64],
) -> None:
    """Interpolate between the nodes of square cells at the centres of pixels.

    Args:
        node: Values at the nodes, shape (y, x).
        row: How many pixels the first pixel lies below the first node.
        col: How many pixels it lies to the right of it.
        cell: Pixels a side of a cell.
        found: Where the values go, shape (y, x).

    """
    for i in range(found.shape[0]):
        node_row, y = divmod(row + i, cell)
        down = (y + 0.5) / cell
        node_col, x = divmod(col, cell)
        for j in range(found.shape[1]):
            a, b = node[node_row, node_col], node[node_row, node_col + 1]
            c, d = node[node_row + 1, node_col], node[node_row + 1, node_col + 1]
            left, right = a + down * (c - a), b + down * (d - b)
            found[i, j] = left + (x + 0.5) / cell * (right - left)
            x += 1
            if x == cell:
                node_col, x = node_col + 1, 0


@kernel
def _weight(distance: float, method: int) -> float:
    """The weight of a pixel so many pixels away: a triangle, or Keys's cubic."""
    x = abs(distance)
    if method == 1:
        return max(0.0, 1.0 - x)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:  # noqa: PLR2004  # where the kernel ends
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return 0.0


@kernel
def _weigh(  # noqa: PLR0913, PLR0917  # a kernel takes no objects
    pixels: NDArray[np.floating],
    data: NDArray[np.bool_],
    y: float,
    x: float,
    scale_y: float,
    scale_x: float,
    method: int,
    top: int,
    left: int,
) -> tuple[float, float, bool]:
    """Add up pixels with data around a point: sum, weights, and whether all had it."""
    total, weights, complete = 0.0, 0.0, True
    reach = float(method)
    for i in range(math.ceil(y - reach * scale_y), math.floor(y + reach * scale_y) + 1):
        down = _weight((i - y) / scale_y, method)
        if down == 0.0:
            continue
        for j in range(
            math.ceil(x - reach * scale_x), math.floor(x + reach * scale_x) + 1
        ):
            weight = down * _weight((j - x) / scale_x, method)
            if weight == 0.0:
                continue
            row, col = i - top, j - left
            if 0 <= row < data.shape[0] and 0 <= col < data.shape[1] and data[row, col]:
                total += weight * pixels[row, col]
                weights += weight
            else:
                complete = False
    return total, weights, complete


@kernel
def _mean_of_four(
    pixels: NDArray[np.floating],
    data: NDArray[np.bool_],
    y: float,
    x: float,
    top: int,
    left: int,
) -> float:
    """Weigh the four pixels around a point: the usual case, made fast."""
    row, col = math.floor(y - 0.5), math.floor(x - 0.5)
    down, across = y - 0.5 - row, x - 0.5 - col
    total, weights = 0.0, 0.0
    for step in range(4):
        i, j = row - top + step // 2, col - left + step % 2
        weight = down if step > 1 else 1.0 - down
        weight *= across if step % 2 else 1.0 - across
        if 0 <= i < data.shape[0] and 0 <= j < data.shape[1] and data[i, j]:
            total += weight * pixels[i, j]
            weights += weight
    return total / weights


@kernel
def gather(  # noqa: PLR0913, PLR0917  # a kernel takes no objects
    pixels: NDArray[np.floating],
    data: NDArray[np.bool_],
    rows: NDArray[np.float64],
    cols: NDArray[np.float64],
    scale_y: float,
    scale_x: float,
    method: int,
    top: int,
    left: int,
    found: NDArray[np.floating],
    has: NDArray[np.bool_],
) -> None:
    """Read a band at some points.

    A point has data where the pixel that it lies in has. Pixels without data get no
    weight, and the others share what is missing. Where one of the cubic kernel's has
    none, the triangle takes its place: its weights are never negative, so that their
    sum cannot vanish.

    Args:
        pixels: A part of the band, shape (y, x).
        data: Where it has data; the same shape.
        rows: Of the points, in pixels of the band; (0.5, 0.5) is the first's centre.
        cols: See there.
        scale_y: How many rows the kernel is stretched over for each of its own: those
            that a pixel of the result covers.
        scale_x: The same for columns.
        method: `NEAREST`, `BILINEAR` or `CUBIC`.
        top: The band's row that the part begins with.
        left: The band's column that it begins with.
        found: Where the values go; the points' shape.
        has: Where it goes whether there is data.

    """
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            found[i, j], has[i, j] = 0.0, False
            y, x = rows[i, j], cols[i, j]
            if not (abs(y) < 1e9 and abs(x) < 1e9):  # noqa: PLR2004  # nowhere
                continue
            row, col = math.floor(y) - top, math.floor(x) - left
            inside = 0 <= row < data.shape[0] and 0 <= col < data.shape[1]
            if not (inside and data[row, col]):
                continue
            has[i, j] = True
            if method == 0:
                found[i, j] = pixels[row, col]
                continue
            if method == 1 and scale_y == 1.0 and scale_x == 1.0:
                found[i, j] = _mean_of_four(pixels, data, y, x, top, left)
                continue
            total, weights, complete = _weigh(
                pixels, data, y - 0.5, x - 0.5, scale_y, scale_x, method, top, left
            )
            if method == 2 and not complete:  # noqa: PLR2004  # cubic
                total, weights, complete = _weigh(
                    pixels, data, y - 0.5, x - 0.5, scale_y, scale_x, 1, top, left
                )
            found[i, j] = total / weights
