"""Whether a reference and a map overlap, and what to say if they do not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geoseg.errors import LabelsError
from geoseg.geo.geobox import reproject_bounds
from geoseg.overlay.aoi.reproject import suspicion

if TYPE_CHECKING:
    from pathlib import Path

    from pyproj import CRS

    from geoseg.geo.geobox import Bounds, GeoBox


def may_overlap(bounds: Bounds, crs: CRS, geobox: GeoBox) -> bool:
    """Return whether a rectangle in a CRS, brought to a plane as one, meets it."""
    own = reproject_bounds(geobox.bounds, geobox.crs, crs)
    if not all(map(math.isfinite, (own.left, own.right, own.bottom, own.top))):
        return True  # single pixels decide
    across = own.left > own.right  # the plane lies on the 180th meridian
    beside = bounds.left >= own.right or bounds.right <= own.left
    above = bounds.bottom >= own.top or bounds.top <= own.bottom
    return not above and (across or not beside)


def no_overlap(
    path: Path | str, bounds: Bounds, crs: CRS, geobox: GeoBox
) -> LabelsError:
    """Say where both are that do not overlap."""
    own = reproject_bounds(geobox.bounds, geobox.crs, crs)
    return LabelsError(
        f"the reference {path} does not lie on the map: in its CRS ({crs.name}; left, "
        f"bottom, right, top) it covers {bounds} and the map {own}"
        f"{suspicion(bounds, crs)}"
    )
