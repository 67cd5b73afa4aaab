"""A pixel plane in the words of the CF conventions, as xarray and rioxarray read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from geoseg.geo.geobox import GeoBox

GRID_MAPPING = "spatial_ref"
"""The coordinate that holds the CRS, named as rioxarray names it."""

Variable = tuple[tuple[str, ...], Any, dict[str, Any]]
"""Dimensions, values and attributes: what xarray makes a variable of."""


def coordinates(geobox: GeoBox) -> dict[str, Variable]:
    """Give the coordinates of a plane's pixels, and its CRS.

    ``y`` and ``x`` are the pixels' centres in CRS units, in float64. A plane that is
    rotated has neither, since no pixel shares one with a whole row or column: there
    the transform alone, in the CRS's ``GeoTransform``, says where pixels are.
    """
    t = geobox.transform
    numbers = " ".join(repr(float(v)) for v in t.to_gdal())
    crs = {
        **geobox.crs.to_cf(),
        GRID_MAPPING: geobox.crs.to_wkt(),
        "GeoTransform": numbers,
    }
    found: dict[str, Variable] = {GRID_MAPPING: ((), 0, crs)}
    if t.b or t.d:
        return found
    axes = {each["axis"]: each for each in geobox.crs.cs_to_cf() if "axis" in each}
    rows, cols = np.arange(geobox.height) + 0.5, np.arange(geobox.width) + 0.5
    found["y"] = (("y",), t.f + rows * t.e, axes.get("Y", {}))
    found["x"] = (("x",), t.c + cols * t.a, axes.get("X", {}))
    return found
