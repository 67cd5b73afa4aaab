"""Where the pixels of a grid lie in a file on another one.

PROJ takes about a microsecond a point, so it is asked for the nodes of a lattice
only, every 32 pixels, and pixels between are interpolated::

    x-------x-------x    x  a node of the grid's cells, anchored to the grid's own
    |   +   |   +   |       pixels: a window never moves it
    |+     +|+     +|    +  where the interpolation is compared with PROJ
    |   +   |   +   |
    x-------x-------x

A cell where the two differ by more than 0.02 pixels of the file (in the middle of a
side, or of the cell), or where PROJ has no answer, is asked for pixel by pixel. Between
the middle and a node a smooth map differs by less still, so that no coordinate is off
by more than 0.05 pixels, the rounding to 1/128 included. It depends on its cell alone,
and so never on the window that it is asked for in. (GDAL's approximation starts anew in
each window.)
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from geoseg.scene.warp.gather import CELL, STEPS, interpolate

if TYPE_CHECKING:
    from collections.abc import Callable

    from affine import Affine
    from numpy.typing import NDArray
    from pyproj import CRS

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window

_CLOSE = 0.02
"""Pixels of the file by which a cell's middle may be off."""


def pixel_coordinates(
    grid: GeoBox, window: Window, plane: GeoBox
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the centres of a window's pixels in a file.

    Args:
        grid: The plane that the window belongs to.
        window: The pixels to locate.
        plane: The file's plane.

    Returns:
        Rows and columns of the file, each of the window's shape, such that the centre
        of its first pixel is (0.5, 0.5); not finite where a pixel is nowhere in it.
        At most 0.05 off.

    """
    # Where several grids are one lattice, their cells are the same.
    first_row, first_col = (n % CELL for n in grid.anchor)
    top, left = window.row + first_row, window.col + first_col
    rows = range(top // CELL, -(-(top + window.height) // CELL) + 1)
    cols = range(left // CELL, -(-(left + window.width) // CELL) + 1)
    # Nodes and the middles between them, in pixels of the grid.
    half = CELL // 2
    ys = np.arange(rows[0] * CELL, rows[-1] * CELL + 1, half) - float(first_row)
    xs = np.arange(cols[0] * CELL, cols[-1] * CELL + 1, half) - float(first_col)
    locate = _locator(grid, plane)
    asked = locate(*np.meshgrid(ys, xs, indexing="ij"))
    found = np.empty((2, window.height, window.width))
    first = window.row - int(ys[0]), window.col - int(xs[0])
    interpolate(asked[:, ::2, ::2].copy(), *first, found)
    exact = ~((_error(asked[0]) <= _CLOSE) & (_error(asked[1]) <= _CLOSE))
    for cell_row, cell_col in np.argwhere(exact):
        corner = ys[0] + cell_row * CELL, xs[0] + cell_col * CELL
        _ask_all(found, locate, window, (int(corner[0]), int(corner[1])))
    return found[0], found[1]


def _error(asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the middles of each cell are from where interpolation puts them."""
    node = asked[::2, ::2]
    across = (node[:, :-1] + node[:, 1:]) / 2
    down = (node[:-1] + node[1:]) / 2
    off_across = np.abs(asked[::2, 1::2] - across)
    off_down = np.abs(asked[1::2, ::2] - down)
    off_middle = np.abs(asked[1::2, 1::2] - (across[:-1] + across[1:]) / 2)
    sides = np.maximum(off_across[:-1], off_across[1:])
    ends = np.maximum(off_down[:, :-1], off_down[:, 1:])
    return np.maximum(np.maximum(sides, ends), off_middle)


def _ask_all(
    found: NDArray[np.float64],
    locate: Callable[..., NDArray[np.float64]],
    window: Window,
    corner: tuple[int, int],
) -> None:
    """Locate each pixel of one cell, where it meets the window."""
    rows = max(corner[0], window.row), min(corner[0] + CELL, window.rows[1])
    cols = max(corner[1], window.col), min(corner[1] + CELL, window.cols[1])
    ys, xs = np.arange(*rows) + 0.5, np.arange(*cols) + 0.5
    part = (
        slice(rows[0] - window.row, rows[1] - window.row),
        slice(cols[0] - window.col, cols[1] - window.col),
    )
    located = locate(*np.meshgrid(ys, xs, indexing="ij"))
    found[(slice(None), *part)] = np.floor(located * STEPS + 0.5) / STEPS


def _locator(grid: GeoBox, plane: GeoBox) -> Callable[..., NDArray[np.float64]]:
    """Give what asks PROJ where points of the grid are in a file: rows and columns."""
    move, back = mover(grid.crs, plane.crs, middle(plane)), ~plane.transform

    def locate(
        rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        cols, rows = applied(back, *move(*applied(grid.transform, cols, rows)))
        return np.stack((rows, cols))

    return locate


def applied(
    t: Affine, xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply a transform to points; those that are nowhere stay it."""
    with np.errstate(invalid="ignore"):  # infinity, by 0
        return t.a * xs + t.b * ys + t.c, t.d * xs + t.e * ys + t.f


def middle(plane: GeoBox) -> float:
    """The x of a plane's middle."""
    return plane.xy(row=plane.height / 2, col=plane.width / 2)[0]


def mover(
    source: CRS, target: CRS, around: float | None
) -> Callable[
    [NDArray[np.float64], NDArray[np.float64]],
    tuple[NDArray[np.float64], NDArray[np.float64]],
]:
    """Give what moves points (x, y) from one CRS to another.

    Longitudes come less than half a turn from the one that is given: east of the
    180th meridian a file may go on beyond 180 degrees. They come as PROJ gives them
    where it is None.
    """
    same = source is target or source == target
    turn, at = 0.0, around or 0.0
    if around is not None and target.is_geographic:
        turn = 2 * math.pi / target.axis_info[0].unit_conversion_factor

    def move(
        xs: NDArray[np.float64], ys: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if not same:
            xs, ys = transformer(source, target).transform(xs, ys)
        if turn:
            with np.errstate(invalid="ignore"):  # infinity, less infinity
                xs = xs - turn * np.round((xs - at) / turn)
        return xs, ys

    return move


class _Known(threading.local):
    """The transformers of one thread: PROJ's objects cannot be shared."""

    def __init__(self) -> None:
        self.by_ends: dict[tuple[CRS, CRS], Transformer] = {}


_known = _Known()


def transformer(source: CRS, target: CRS) -> Transformer:
    """Give what moves points from one CRS to another, x before y."""
    ends = source, target
    if ends not in _known.by_ends:
        _known.by_ends[ends] = Transformer.from_crs(source, target, always_xy=True)
    return _known.by_ends[ends]
