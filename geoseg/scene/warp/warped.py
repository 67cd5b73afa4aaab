"""Read a file on another grid, window by window: the same in every window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geoseg.geo.embeddings import to_length_one
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.scene.quality import is_quality
from geoseg.scene.warp.coordinates import applied, middle, mover, pixel_coordinates
from geoseg.scene.warp.gather import (
    BILINEAR,
    CUBIC,
    NEAREST,
    extent,
    footprints,
    gather,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.scene.files.raster import Raster

METHODS = {"nearest": NEAREST, "bilinear": BILINEAR, "cubic": CUBIC}
_MOST = 160_000_000
"""Values of the file that are held at a time: 16 Mpx of ten bands."""
_AS_LARGE = 1.05
"""Up to this, a pixel of the grid is no larger than one of the file."""
_SAME = 1e-3
"""Pixels of the grid by which a file's edge may pass one's edge and be on it."""
_EDGE_POINTS = 65
"""Points of a file's edge, and of its inside, that say what it covers."""


@dataclass(frozen=True, slots=True)
class Warp:
    """How a file is read on another grid."""

    grid: GeoBox
    """The grid."""
    scale: tuple[float, float]
    """Rows and columns of the file that the kernel is stretched over: what a pixel of
    the grid covers in the file's middle, at least 1."""
    method: int
    """`NEAREST`, `BILINEAR` or `CUBIC`."""


def make_warp(plane: GeoBox, grid: GeoBox, method: str) -> Warp:
    """Find how far the kernel is stretched for a file on a grid."""
    x, y = plane.xy(row=plane.height / 2, col=plane.width / 2)
    xs, ys = mover(plane.crs, grid.crs, middle(grid))(np.array([x]), np.array([y]))
    col, row = ~grid.transform @ (float(xs[0]), float(ys[0]))
    if not (math.isfinite(row) and math.isfinite(col)):
        return Warp(grid, (1.0, 1.0), METHODS[method])
    around = GeoBox(1, 1, grid.transform @ Affine.translation(col, row), grid.crs)
    rows, cols = _in_file(around, plane, np.array([0.0, 1, 0]), np.array([0.0, 0, 1]))
    scale = (
        math.hypot(rows[1] - rows[0], rows[2] - rows[0]),
        math.hypot(cols[1] - cols[0], cols[2] - cols[0]),
    )
    down, across = (round(s, 3) if _AS_LARGE < s < math.inf else 1.0 for s in scale)
    return Warp(grid, (down, across), METHODS[method])


def covered(plane: GeoBox, grid: GeoBox, around: float | None) -> Window | None:
    """Find a window of a grid's pixels that holds all that a file covers.

    Args:
        plane: The file's.
        grid: The window may reach outside it.
        around: The longitude that those of the file are brought close to, where the
            grid is one of degrees; as they are where None.

    Returns:
        None where the file is nowhere on the grid.

    """
    share = np.linspace(0, 1, _EDGE_POINTS)
    rows, cols = np.meshgrid(share * plane.height, share * plane.width)
    move = mover(plane.crs, grid.crs, around)
    cols, rows = applied(~grid.transform, *move(*applied(plane.transform, cols, rows)))
    known = np.isfinite(rows) & np.isfinite(cols)
    if not known.any():
        return None
    top, bottom = float(rows[known].min()), float(rows[known].max())
    left, right = float(cols[known].min()), float(cols[known].max())
    # Between the points an edge may bulge by a little, but not where none is bent.
    is_bent = plane.crs is not grid.crs and plane.crs != grid.crs
    room = 2 + 0.01 * max(bottom - top, right - left) if is_bent else -_SAME
    return Window.between(
        (math.floor(top - room), math.ceil(bottom + room)),
        (math.floor(left - room), math.ceil(right + room)),
    )


def read_warped(
    raster: Raster, warp: Warp, window: Window, bands: Sequence[int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a window of a grid from a file on another one.

    Means of vectors that have length 1 are brought back to it, for which all of their
    bands are read.

    Args:
        raster: The file.
        warp: The grid, and how pixels are found.
        window: In pixels of the grid.
        bands: Which of the file's bands, counted from 0.

    Returns:
        Pixels in the bands' dtype, shape ``(band, y, x)``, whole numbers rounded; and
        where each band has data: the same shape, or ``(1, y, x)`` where all bands have
        data in the same pixels.

    """
    if not raster.has_length_one or warp.method == NEAREST:
        return _read_warped(raster, warp, window, bands)
    every = range(len(raster.bands))
    means, has = _read_warped(raster, warp, window, every)
    vectors, wanted = to_length_one(means.astype(np.float32)), list(bands)
    return vectors[wanted], has if len(has) == 1 else has[wanted]


def _read_warped(
    raster: Raster, warp: Warp, window: Window, bands: Sequence[int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a window as `read_warped` does, each band by itself."""
    points = pixel_coordinates(warp.grid, window, raster.geobox)
    part = _needed(points, warp, raster.geobox)
    inside = part and part.intersection(
        Window(0, 0, raster.geobox.height, raster.geobox.width)
    )
    if part is None or inside is None:
        dtype = np.result_type(*(raster.bands[band].dtype for band in bands))
        shape = (len(bands), window.height, window.width)
        return np.zeros(shape, dtype), np.zeros((1, *shape[1:]), np.bool_)
    if inside.pixels * len(bands) > _MOST and window.pixels > 1:
        halves = [_read_warped(raster, warp, half, bands) for half in _halved(window)]
        axis = 1 if window.height >= window.width else 2
        pixels = np.concatenate([half for half, _ in halves], axis)
        data = [np.broadcast_to(has, half.shape) for half, has in halves]
        return pixels, np.concatenate(data, axis)
    read, there = _framed(*raster.read(inside, bands), inside, part)
    classes = [is_quality(raster.bands[band].name) for band in bands]
    nearest = np.array(classes) | (warp.method == NEAREST)
    rows, cols = points[0] - part.row, points[1] - part.col
    return _sampled(read, there, (rows, cols), warp, nearest)


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
    plane, t = raster.geobox, warp.grid.transform
    smaller = window.height / shape[0], window.width / shape[1]
    origin = Affine.translation(window.col, window.row)
    size = Affine.scale(smaller[1], smaller[0])
    grid = GeoBox(*shape, t @ origin @ size, warp.grid.crs)
    coarse = tuple(
        max(1, min(side, round(side / max(by * scale, 1))))
        for side, by, scale in zip(
            (plane.height, plane.width), smaller, warp.scale, strict=True
        )
    )
    whole = Window(0, 0, plane.height, plane.width)
    read = raster.picture(whole, bands, (coarse[0], coarse[1]))
    pixel = Affine.scale(plane.width / coarse[1], plane.height / coarse[0])
    seen = GeoBox(coarse[0], coarse[1], plane.transform @ pixel, plane.crs)
    points = pixel_coordinates(grid, Window(0, 0, *shape), seen)
    there = ~np.ma.getmaskarray(read)
    nearest = np.ones(len(bands), np.bool_)
    flat = Warp(warp.grid, (1.0, 1.0), NEAREST)
    found, has = _sampled(read.data, there, points, flat, nearest)
    return np.ma.MaskedArray(found, mask=~has)


def _sampled(
    read: NDArray[np.generic],
    there: NDArray[np.bool_],
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    warp: Warp,
    nearest: NDArray[np.bool_],
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Find the values of bands at some points, in pixels of the part that was read."""
    down, across = (weights(warp.method, scale) for scale in warp.scale)
    full = footprints(there, down.shape[2], across.shape[2])
    shape = (len(read), *points[0].shape)
    found = np.empty(shape, read.dtype)
    has = np.empty((len(there), *shape[1:]), np.bool_)
    limits = _limits(read.dtype)
    gather(read, there, full, *points, down, across, nearest, limits, found, has)
    return found, has


def _limits(dtype: np.dtype[np.generic]) -> tuple[float, float]:
    """What whole numbers of a dtype can be, as far as floating point can hold it."""
    if np.issubdtype(dtype, np.floating):
        return 0.0, 0.0
    known = np.iinfo(str(dtype))
    high = float(known.max)
    return float(known.min), high if high <= known.max else float(np.nextafter(high, 0))


def _framed(
    read: NDArray[np.generic], there: NDArray[np.bool_], inside: Window, part: Window
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Put pixels without data around what was read, where a part is outside a file."""
    frame = (
        (0, 0),
        (inside.row - part.row, part.rows[1] - inside.rows[1]),
        (inside.col - part.col, part.cols[1] - inside.cols[1]),
    )
    if not any(map(any, frame)):
        return read, there
    return np.pad(read, frame), np.pad(there, frame)


def _needed(
    points: tuple[NDArray[np.float64], NDArray[np.float64]], warp: Warp, plane: GeoBox
) -> Window | None:
    """Find the pixels that the kernel reaches around points in a file; None if none.

    They may be outside it.
    """
    top, bottom, left, right = extent(*points, plane.height, plane.width)
    if top >= bottom:
        return None
    down, across = (weights(warp.method, s).shape[2] // 2 for s in warp.scale)
    return Window.between((top - down, bottom + down), (left - across, right + across))


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


def _in_file(
    grid: GeoBox, plane: GeoBox, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find where corners of a grid's pixels are in a file."""
    move = mover(grid.crs, plane.crs, middle(plane))
    xs, ys = move(*applied(grid.transform, cols, rows))
    cols, rows = applied(~plane.transform, xs, ys)
    return rows, cols
