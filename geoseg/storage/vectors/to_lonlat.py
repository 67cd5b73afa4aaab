"""The way from a CRS to longitude and latitude, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

WGS84 = "EPSG:4326"
TURN = 360.0
POLE = 90.0
_RIGHT_ANGLE = 90.0
_SAME_POINT = 1e-6
"""How far, in pixels, what is the same point may seem to be apart."""
_SAME_MERIDIAN = 1e-3
"""How far, in pixels, the edge of a map of the world may miss the antimeridian."""
_LEAST = 5e-8
"""Degrees, half of GeoJSON's last decimal."""
_DEGREE = 111_320.0
"""Metres of a degree on the equator."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way from (x, y) in a CRS to degrees of WGS 84, and back."""

    degrees: Transformer
    """From (x, y) to (longitude, latitude)."""
    pixel: float
    """The side of a pixel in units of the CRS."""
    x_degree: float | None
    """Degrees of longitude for each unit of x, where x is a longitude that may go on
    beyond 180 degrees; None where the CRS is projected."""
    greenwich: float
    """The longitude, in degrees, at which x is 0; 0 in a projected CRS."""
    close: float
    """Degrees between what is the same meridian: a thousandth of a pixel."""
    poles: NDArray[np.float64]
    """The (x, y) of the poles that are a point of the map, shape ``(pole, 2)``."""

    @classmethod
    def of(cls, crs: CRS, pixel: float, bounds: NDArray[np.float64]) -> Way:
        """Find the way from a CRS.

        Args:
            crs: The CRS.
            pixel: The side of a pixel in its units.
            bounds: Left, bottom, right and top of the map.

        Raises:
            pyproj.exceptions.ProjError: There is none.

        """
        degrees = Transformer.from_crs(crs, WGS84, always_xy=True)
        unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
        if crs.is_geographic and not crs.is_derived:  # a rotated pole's x is not one
            x_degree = float(np.degrees(unit))
            close = max(_SAME_MERIDIAN * pixel * x_degree, _LEAST)
            none = np.empty((0, 2))
            return cls(degrees, pixel, x_degree, _greenwich(crs), close, none)
        poles = _find_poles(degrees, pixel * _SAME_POINT)
        near = (poles > bounds[:2] - pixel) & (poles < bounds[2:] + pixel)
        scale = _DEGREE if crs.is_projected else 1.0
        close = max(_SAME_MERIDIAN * pixel * unit / scale, _LEAST)
        return cls(degrees, pixel, None, 0.0, close, poles[near.all(axis=1)])

    def lonlat(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring points, shape ``(point, 2)``, to longitude and latitude.

        Longitudes lie within 180 degrees of Greenwich in a projected CRS, and go
        on beyond where x is a longitude. Where there are none, they are infinite.
        """
        east, north = self.degrees.transform(points[:, 0], points[:, 1])
        if self.x_degree is not None:
            meant = points[:, 0] * self.x_degree + self.greenwich
            with np.errstate(invalid="ignore"):  # infinite where there is none
                east = east + TURN * np.rint((meant - east) / TURN)
        return np.stack([east, north], axis=1)

    def back(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring longitudes and latitudes to points of the CRS."""
        x, y = self.degrees.transform(lonlat[:, 0], lonlat[:, 1], direction="INVERSE")
        return np.stack([x, y], axis=1)

    def at_pole(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points, shape ``(point, 2)``, are poles to the last bit."""
        found = np.zeros(len(points), bool)
        for pole in self.poles:
            found |= (points == pole).all(axis=1)
        return found

    def snap_to_poles(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put points that all but lie on a pole there."""
        for pole in self.poles:
            close = np.abs(points - pole).max(axis=1) < self.pixel * _SAME_POINT
            points = np.where(close[:, None], pole, points)
        return points


def turn(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a difference of longitudes as the shorter turn, from -180 to 180."""
    return np.asarray(degrees - TURN * np.rint(degrees / TURN))


def _greenwich(crs: CRS) -> float:
    """Give the longitude of a CRS's own prime meridian, in degrees."""
    meridian = crs.prime_meridian
    if meridian is None:
        return 0.0
    unit = float(meridian.unit_conversion_factor)  # pyproj's annotation says str
    return float(np.degrees(meridian.longitude * unit))


def _find_poles(degrees: Transformer, close: float) -> NDArray[np.float64]:
    """Find the poles that are one point, from whatever longitude one comes."""
    longitudes = np.arange(4) * _RIGHT_ANGLE
    found = []
    for latitude in (POLE, -POLE):
        x, y = degrees.transform(longitudes, np.full(4, latitude), direction="INVERSE")
        points = np.stack([x, y], axis=1)
        if np.isfinite(points).all() and (np.ptp(points, axis=0) <= close).all():
            found.append(points[0])
    return np.reshape(found, (-1, 2))
