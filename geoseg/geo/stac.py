"""Planes, legends and times in STAC's words, as fields of its extensions.

Projection 2.0, Classification 2.0; values that JSON holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend

SCHEMAS = "https://stac-extensions.github.io"
"""Where the extensions are described."""
PROJECTION = f"{SCHEMAS}/projection/v2.0.0/schema.json"
CLASSIFICATION = f"{SCHEMAS}/classification/v2.0.0/schema.json"
GEOTIFF = "image/tiff; application=geotiff"
ALWAYS = {
    "start_datetime": "1900-01-01T00:00:00Z",
    "end_datetime": "9999-12-31T23:59:59Z",
}
"""The time of what says none."""
_NO_LETTER = re.compile(r"[^0-9A-Za-z-]+")


def plane_fields(geobox: GeoBox) -> dict[str, Any]:
    """Describe a pixel plane: its CRS, shape (y, x) and transform."""
    epsg = geobox.crs.to_epsg()
    return {
        "proj:code": None if epsg is None else f"EPSG:{epsg}",
        **({} if epsg else {"proj:wkt2": geobox.crs.to_wkt()}),
        "proj:shape": [geobox.height, geobox.width],
        "proj:transform": list(geobox.transform)[:6],
    }


def class_fields(legend: Legend) -> list[dict[str, Any]]:
    """List what each value of a class map means.

    Names are of letters, digits, hyphens and underscores there, and colours have no
    ``#``; the title is the class's own name.
    """
    return [
        {
            "value": each.id,
            "name": _NO_LETTER.sub("_", each.name).strip("_") or f"class_{each.id}",
            "title": each.name,
            "color_hint": each.colour[1:].upper(),
        }
        for each in legend
    ]
