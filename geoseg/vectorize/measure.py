"""Areas and perimeters of polygons on the ground.

In a projected CRS both are planar. In a geographic one they are on the CRS's
ellipsoid, and a side is the straight line in longitude and latitude: the sides
of pixels run along parallels, not along geodesics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS


def measure(
    polygons: NDArray[np.object_], crs: CRS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure polygons.

    Args:
        polygons: Polygons or multipolygons in (x, y) of the CRS.
        crs: Their CRS; without an ellipsoid of its own, WGS 84's is taken.

    Returns:
        Areas in square metres and perimeters in metres (holes add to them).

    """
    if crs.is_geographic:
        return _on_ellipsoid(polygons, crs)
    metres = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return shapely.area(polygons) * metres**2, shapely.length(polygons) * metres


def _on_ellipsoid(
    polygons: NDArray[np.object_], crs: CRS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    radius, squared = _ellipsoid(crs)
    radians = crs.axis_info[0].unit_conversion_factor if crs.axis_info else np.pi / 180
    rings, owner = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    points = points * radians
    same = ring[1:] == ring[:-1]
    start, end = points[:-1][same], points[1:][same]
    middle, step = (start + end) / 2, end - start
    belt = (
        _belt(start[:, 1], squared)
        + 4 * _belt(middle[:, 1], squared)
        + _belt(end[:, 1], squared)
    ) / 6  # Simpson's rule; exact where a side runs along a parallel
    side = owner[ring[1:][same]]
    area = np.zeros(len(polygons))
    np.add.at(area, side, -(radius**2) * belt * step[:, 0])
    bend = 1 - squared * np.sin(middle[:, 1]) ** 2
    east = step[:, 0] * np.cos(middle[:, 1]) * radius / np.sqrt(bend)
    north = step[:, 1] * radius * (1 - squared) / bend**1.5
    perimeter = np.zeros(len(polygons))
    np.add.at(perimeter, side, np.hypot(east, north))
    return np.abs(area), perimeter


def _ellipsoid(crs: CRS) -> tuple[float, float]:
    """Give the equatorial radius in metres and the squared eccentricity."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        return 6378137.0, 0.0066943799901413165
    ratio = ellipsoid.semi_minor_metre / ellipsoid.semi_major_metre
    return ellipsoid.semi_major_metre, 1 - ratio**2


def _belt(latitude: NDArray[np.float64], squared: float) -> NDArray[np.float64]:
    """Give the area from the equator to a parallel, a radian of longitude wide.

    On an ellipsoid of equatorial radius 1, from the equal-area projections
    (Snyder, Map Projections: A Working Manual, equation 3-12, halved).
    """
    sine = np.sin(latitude)
    if squared == 0:
        return np.asarray(sine)
    e = np.sqrt(squared)
    bent = sine / (1 - squared * sine**2) + np.arctanh(e * sine) / e
    return np.asarray((1 - squared) / 2 * bent)
