"""What a page knows of a map's pixel plane: sizes on the ground, and coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Transformer

from geoseg.report.slide import length_text, round_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.report.report import Json

_NODES = 17
"""Points on a side of a plane where longitude and latitude are known."""
_OFF = 2e-4
"""Degrees by which they may be off between those."""
_ALIKE = 0.01
"""Pixels whose sides differ by a smaller share are shown as squares."""
_MOST_DIGITS = 6
_BAR = 0.3
"""The share of a map's width that a scale bar may take."""


def describe_plane(geobox: GeoBox) -> dict[str, Json]:
    """List what a page needs to locate and to name the pixels of a plane."""
    ground = geobox.ground()
    column, row = ground.column_m, ground.row_m
    if abs(column / row - 1) < _ALIKE:
        column = row
    step = max(abs(value) for value in (geobox.transform.a, geobox.transform.b))
    digits = min(_MOST_DIGITS, max(0, math.ceil(-math.log10(step))))
    wide = geobox.width * column
    bar = round_length(wide * _BAR)
    return {
        "height": geobox.height,
        "width": geobox.width,
        "column_m": column,
        "row_m": row,
        "transform": list(geobox.transform)[:6],
        "digits": digits,
        "axes": "lon, lat" if geobox.crs.is_geographic else "x, y",
        "lonlat": _lonlat(geobox),
        "north": north_angle(geobox),
        "aspect": wide / (geobox.height * row),
        "bar": {"share": bar / wide, "text": length_text(bar)},
    }


def north_angle(geobox: GeoBox) -> float | None:
    """Give where true north is, in degrees clockwise from up; None if unknown."""
    north = geobox.ground().north
    return None if north is None else round(math.degrees(math.atan2(*north)), 2)


def _lonlat(geobox: GeoBox) -> list[list[list[float]]] | None:
    """Give (lon, lat) at nodes of the plane, rows first; None where lines bend.

    None, too, where the plane's own coordinates are these.
    """
    if geobox.crs.is_geographic or not geobox.is_on_earth:
        return None
    to_lonlat = Transformer.from_crs(geobox.crs, CRS.from_epsg(4326), always_xy=True)

    a, b, c, d, e, f = tuple(geobox.transform)[:6]

    def at(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        along = shares / (_NODES - 1)
        cols, rows = np.meshgrid(along * geobox.width, along * geobox.height)
        x, y = a * cols + b * rows + c, d * cols + e * rows + f
        return np.stack(to_lonlat.transform(x, y), axis=-1)

    nodes = at(np.arange(_NODES, dtype=np.float64))
    middles = at(np.arange(0.5, _NODES - 1, dtype=np.float64))
    between = (nodes[:-1, :-1] + nodes[:-1, 1:] + nodes[1:, :-1] + nodes[1:, 1:]) / 4
    off = np.abs(middles - between)
    if not np.isfinite(off).all() or off.max() > _OFF:
        return None
    found: list[list[list[float]]] = nodes.round(6).tolist()
    return found
