"""How a picture of a pixel plane lies on the ground: its scale and north."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyproj import Geod, Transformer

if TYPE_CHECKING:
    from geoseg.georef import Georef

_STEP_DEGREES = 1e-4
"""How far north one looks from the centre: 11 m."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground at the centre of a plane, as seen on a picture of its pixels."""

    column_m: float
    """Metres from one column to the next."""
    row_m: float
    """Metres from one row to the next."""
    north: tuple[float, float] | None
    """True north as a unit vector (right, up) on a picture whose rows run down
    and whose pixels have their true proportions; None where the CRS knows none."""


def ground_of(georef: Georef) -> Ground:
    """Measure a plane at its centre, on the ellipsoid of its CRS if it has one."""
    if not georef.is_on_earth:
        return _local_ground(georef)
    geod = georef.crs.get_geod() or Geod(ellps="WGS84")
    degrees = Transformer.from_crs(georef.crs, georef.crs.geodetic_crs, always_xy=True)
    row, col = georef.height / 2, georef.width / 2

    def lonlat(drow: float, dcol: float) -> tuple[float, float]:
        lon, lat = degrees.transform(*georef.xy(row=row + drow, col=col + dcol))
        return lon, lat

    centre = lonlat(0, 0)
    column_m = geod.inv(*centre, *lonlat(0, 1))[2]
    row_m = geod.inv(*centre, *lonlat(1, 0))[2]

    # Towards the equator in the north, so that the step never passes a pole.
    step = -math.copysign(_STEP_DEGREES, centre[1])
    x, y = degrees.transform(centre[0], centre[1] + step, direction="INVERSE")
    to_col, to_row = ~georef.transform @ (x, y)
    right, up = (to_col - col) * column_m / step, -(to_row - row) * row_m / step
    length = math.hypot(right, up)
    return Ground(column_m, row_m, (right / length, up / length))


def _local_ground(georef: Georef) -> Ground:
    """Measure a plane in a local CRS, which is flat and does not say where north is."""
    metres, t = georef.crs.axis_info[0].unit_conversion_factor, georef.transform
    return Ground(metres * math.hypot(t.a, t.d), metres * math.hypot(t.b, t.e), None)
