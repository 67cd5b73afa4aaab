"""Pixels and places on the ground, and whether two of them overlap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Transformer

from geoseg.aoi.place import suspicion
from geoseg.errors import LabelsError
from geoseg.georef import Bounds, Georef, reproject_bounds

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def places(
    georef: Georef, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place fractional rows and columns of a plane: (x, y) in its CRS."""
    t = georef.transform
    return t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f


def pixels_at(
    georef: Georef, x: NDArray[np.float64], y: NDArray[np.float64], crs: CRS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the pixels (rows, columns) of a plane in which points lie; -1 if nowhere."""
    if crs != georef.crs:
        x, y = Transformer.from_crs(crs, georef.crs, always_xy=True).transform(x, y)
    t = ~georef.transform
    # The origin is subtracted first: centres of the plane's own pixels stay centres.
    right, up = x - georef.transform.c, y - georef.transform.f
    with np.errstate(invalid="ignore"):  # infinite where the CRS has no such place
        col, row = t.a * right + t.b * up, t.d * right + t.e * up
    on_earth = np.isfinite(col) & np.isfinite(row)
    rows, cols = (
        np.floor(np.where(on_earth, each, -1).clip(-1, 2**40)).astype(np.int64)
        for each in (row, col)
    )
    return rows, cols


def are_on(
    georef: Georef, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which pixels a plane has."""
    there: NDArray[np.bool_] = (
        (rows >= 0) & (rows < georef.height) & (cols >= 0) & (cols < georef.width)
    )
    return there


def may_overlap(bounds: Bounds, crs: CRS, georef: Georef) -> bool:
    """Tell whether a rectangle in a CRS meets a plane, brought there as a rectangle."""
    own = reproject_bounds(georef.bounds, georef.crs, crs)
    if not all(map(math.isfinite, (own.left, own.right, own.bottom, own.top))):
        return True  # single pixels decide
    across = own.left > own.right  # the plane lies on the 180th meridian
    beside = bounds.left >= own.right or bounds.right <= own.left
    above = bounds.bottom >= own.top or bounds.top <= own.bottom
    return not above and (across or not beside)


def no_overlap(
    path: Path | str, bounds: Bounds, crs: CRS, georef: Georef
) -> LabelsError:
    """Say where both are that do not overlap."""
    own = reproject_bounds(georef.bounds, georef.crs, crs)
    return LabelsError(
        f"the reference {path} does not lie on the map: in its CRS ({crs.name}; left, "
        f"bottom, right, top) it covers {bounds} and the map {own}"
        f"{suspicion(bounds, crs)}"
    )
