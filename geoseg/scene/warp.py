"""Read a file on another grid, window by window: the same in every window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geoseg.georef import Georef
from geoseg.grid import Window
from geoseg.scene.coordinates import pixel_coordinates, transformer
from geoseg.scene.gather import BILINEAR, CUBIC, NEAREST, gather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.scene.raster import Raster

METHODS = {"nearest": NEAREST, "bilinear": BILINEAR, "cubic": CUBIC}
_MOST = 16_000_000
"""Pixels of the file that are held at a time."""
_AS_LARGE = 1.05
"""Up to this, a pixel of the grid is no larger than one of the file."""
_EDGE_POINTS = 65
"""Points of a file's edge, and of its inside, that say what it covers."""
_NOWHERE = 1 << 40
"""No file has so many rows or columns."""


@dataclass(frozen=True, slots=True)
class Warp:
    """How a file is read on another grid."""

    grid: Georef
    """The grid."""
    scale: tuple[float, float]
    """Rows and columns of the file that the kernel is stretched over: what a pixel of
    the grid covers in the file's middle, at least 1."""
    method: int
    """`NEAREST`, `BILINEAR` or `CUBIC`."""


def make_warp(plane: Georef, grid: Georef, method: str) -> Warp:
    """Find how far the kernel is stretched for a file on a grid."""
    middle = plane.xy(row=plane.height / 2, col=plane.width / 2)
    xs, ys = _moved(plane, grid, np.array([middle[0]]), np.array([middle[1]]))
    col, row = ~grid.transform @ (float(xs[0]), float(ys[0]))
    if not (math.isfinite(row) and math.isfinite(col)):
        return Warp(grid, (1.0, 1.0), METHODS[method])
    around = Georef(1, 1, grid.transform @ Affine.translation(col, row), grid.crs)
    rows, cols = _in_file(around, plane, np.array([0, 1, 0]), np.array([0, 0, 1]))
    scale = (
        math.hypot(rows[1] - rows[0], rows[2] - rows[0]),
        math.hypot(cols[1] - cols[0], cols[2] - cols[0]),
    )
    down, across = (round(s, 3) if s > _AS_LARGE else 1.0 for s in scale)
    return Warp(grid, (down, across), METHODS[method])


def covered(plane: Georef, grid: Georef) -> Window | None:
    """Find a window of a grid's pixels that holds all that a file covers.

    The window may reach outside the grid; None where the file is nowhere on it.
    """
    share = np.linspace(0, 1, _EDGE_POINTS)
    rows, cols = np.meshgrid(share * plane.height, share * plane.width)
    t = plane.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    xs, ys = _moved(plane, grid, xs, ys)
    back = ~grid.transform
    cols, rows = back.a * xs + back.b * ys + back.c, back.d * xs + back.e * ys + back.f
    known = np.isfinite(rows) & np.isfinite(cols)
    if not known.any():
        return None
    top, bottom = float(rows[known].min()), float(rows[known].max())
    left, right = float(cols[known].min()), float(cols[known].max())
    # Between the points an edge may bulge by a little.
    room = 2 + 0.01 * max(bottom - top, right - left)
    return Window.between(
        (math.floor(top - room), math.ceil(bottom + room)),
        (math.floor(left - room), math.ceil(right + room)),
    )


def read_warped(
    raster: Raster, warp: Warp, window: Window, bands: Sequence[int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a window of a grid from a file on another one.

    Args:
        raster: The file.
        warp: The grid, and how pixels are found.
        window: In pixels of the grid.
        bands: Which of the file's bands, counted from 0.

    Returns:
        Pixels in the bands' dtype, shape ``(band, y, x)``, whole numbers rounded; and
        where each band has data, of the same shape.

    """
    rows, cols = pixel_coordinates(warp.grid, window, raster.georef)
    part = _needed(rows, cols, warp, raster.georef)
    dtype = np.result_type(*(raster.bands[band].dtype for band in bands))
    shape = (len(bands), window.height, window.width)
    if part is None:
        return np.zeros(shape, dtype), np.zeros(shape, np.bool_)
    if part.pixels > _MOST and window.pixels > 1:
        halves = [read_warped(raster, warp, half, bands) for half in _halved(window)]
        axis = 1 if window.height >= window.width else 2
        pixels, data = zip(*halves, strict=True)
        return np.concatenate(pixels, axis), np.concatenate(data, axis)
    read, there = raster.read(part, bands)
    return sample(read, np.broadcast_to(there, read.shape), part, (rows, cols), warp)


def warped_picture(
    raster: Raster,
    warp: Warp,
    window: Window,
    bands: Sequence[int],
    shape: tuple[int, int],
) -> np.ma.MaskedArray:
    """Look at a window of a grid at the resolution of a picture, (band, y, x).

    The file is read at about that resolution, and each of the picture's pixels shows
    the one that it lies in.
    """
    plane, t = raster.georef, warp.grid.transform
    smaller = window.height / shape[0], window.width / shape[1]
    origin = Affine.translation(window.col, window.row)
    size = Affine.scale(smaller[1], smaller[0])
    grid = Georef(*shape, t @ origin @ size, warp.grid.crs)
    coarse = tuple(
        max(1, min(side, round(side / max(by * scale, 1))))
        for side, by, scale in zip(
            (plane.height, plane.width), smaller, warp.scale, strict=True
        )
    )
    whole = Window(0, 0, plane.height, plane.width)
    read = raster.picture(whole, bands, (coarse[0], coarse[1]))
    pixel = Affine.scale(plane.width / coarse[1], plane.height / coarse[0])
    seen = Georef(coarse[0], coarse[1], plane.transform @ pixel, plane.crs)
    points = pixel_coordinates(grid, Window(0, 0, *shape), seen)
    there = ~np.ma.getmaskarray(read)
    found, has = _nearest(read.data, there, Window(0, 0, *read.shape[1:]), points)
    return np.ma.MaskedArray(found, mask=~has)


def sample(
    read: NDArray[np.generic],
    there: NDArray[np.bool_],
    part: Window,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    warp: Warp,
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Find the values of bands at some points, from a part of them that was read."""
    exact = np.issubdtype(read.dtype, np.floating) or read.dtype.itemsize <= 2  # noqa: PLR2004  # bytes
    wide = not exact or read.dtype.itemsize > 4  # noqa: PLR2004  # the same
    numbers = np.float64 if wide else np.float32
    if warp.method == NEAREST and wide:
        return _nearest(read, there, part, points)
    shape = (len(read), *points[0].shape)
    found, has = np.empty(shape, numbers), np.empty(shape, np.bool_)
    for band, (values, data) in enumerate(zip(read, there, strict=True)):
        gather(
            np.ascontiguousarray(values, numbers),
            np.ascontiguousarray(data),
            *points,
            *warp.scale,
            warp.method,
            part.row,
            part.col,
            found[band],
            has[band],
        )
    return _rounded(found, read.dtype), has


def _nearest(
    read: NDArray[np.generic],
    there: NDArray[np.bool_],
    part: Window,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Find the pixels that points lie in, whatever their dtype."""
    known = np.isfinite(points[0]) & np.isfinite(points[1])
    rows, cols = (
        np.floor(np.where(known, axis, -1)).clip(-1, _NOWHERE).astype(np.int64) - first
        for axis, first in zip(points, (part.row, part.col), strict=True)
    )
    inside = (rows >= 0) & (rows < part.height) & (cols >= 0) & (cols < part.width)
    inside &= known
    rows, cols = np.where(inside, rows, 0), np.where(inside, cols, 0)
    has = there[:, rows, cols] & inside
    return np.where(has, read[:, rows, cols], read.dtype.type(0)), has


def _needed(
    rows: NDArray[np.float64], cols: NDArray[np.float64], warp: Warp, plane: Georef
) -> Window | None:
    """Find the part of a file that the kernel touches around some points."""
    whole = Window(0, 0, plane.height, plane.width)
    inside = (rows >= 0) & (rows < plane.height) & (cols >= 0) & (cols < plane.width)
    if not inside.any():
        return None
    (down, across), reach = warp.scale, warp.method
    room = math.ceil(reach * down) + 1, math.ceil(reach * across) + 1
    ends = []
    for axis, more in zip((rows, cols), room, strict=True):
        points = axis[inside]
        ends.append((int(points.min()) - more, int(points.max()) + 1 + more))
    return Window.between(*ends).intersection(whole)


def _halved(window: Window) -> tuple[Window, Window]:
    """Cut a window along its longer side."""
    (top, bottom), (left, right) = window.rows, window.cols
    if window.height >= window.width:
        middle = (top + bottom) // 2
        return (
            Window.between((top, middle), (left, right)),
            Window.between((middle, bottom), (left, right)),
        )
    middle = (left + right) // 2
    return (
        Window.between((top, bottom), (left, middle)),
        Window.between((top, bottom), (middle, right)),
    )


def _rounded(
    found: NDArray[np.floating], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """Bring values back to a dtype: whole numbers are rounded, and kept in range."""
    if np.issubdtype(dtype, np.floating):
        return found.astype(dtype, copy=False)
    limits = np.iinfo(str(dtype))
    np.rint(found, out=found)
    np.clip(found, limits.min, limits.max, out=found)
    return found.astype(dtype)


def _moved(
    plane: Georef, grid: Georef, xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if plane.crs == grid.crs:
        return xs, ys
    moved: tuple[NDArray[np.float64], NDArray[np.float64]] = transformer(
        plane.crs, grid.crs
    ).transform(xs, ys)
    return moved


def _in_file(
    grid: Georef, plane: Georef, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find where corners of a grid's pixels are in a file."""
    t = grid.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    xs, ys = _moved(grid, plane, xs, ys)
    back = ~plane.transform
    return back.d * xs + back.e * ys + back.f, back.a * xs + back.b * ys + back.c
