"""Our windows, as rasterio takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasterio.windows import Window as RasterioWindow

from geoseg.errors import GridError
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from geoseg.geo.geobox import GeoBox


def check_inside(geobox: GeoBox, window: Window) -> None:
    """Refuse a window that reaches outside a plane."""
    if not Window(0, 0, geobox.height, geobox.width).contains(window):
        raise GridError(
            f"a window must lie on the plane of {geobox.height} rows x "
            f"{geobox.width} columns, got {window}"
        )


def to_rasterio(window: Window) -> RasterioWindow:
    """Say the same window in rasterio's words."""
    return RasterioWindow(window.col, window.row, window.width, window.height)
