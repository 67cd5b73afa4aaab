"""The formats that polygons are written in: one row each, for everybody who asks.

A new format is a row of `_TABLE`, with GDAL's driver; `write` needs more only where
GDAL alone would not do, as of GeoParquet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geoseg.errors import VectorError
from geoseg.storage.vectors.globe import DECIMALS

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFormat:
    """A format of polygons, and how GDAL writes it."""

    name: str
    """What it is called among the options."""
    suffix: str
    """The suffix by which it is chosen."""
    media_type: str
    """What catalogues call it."""
    driver: str = ""
    """GDAL's name of its driver; none where geopandas writes it."""
    options: dict[str, str] = field(default_factory=dict)
    """What differs from the driver's defaults."""
    in_lonlat: bool = False
    """Whether the format has no other coordinates than degrees of WGS 84."""
    short_names: dict[str, str] = field(default_factory=dict)
    """New names for columns whose names are too long for it."""


_LINES = {"COORDINATE_PRECISION": str(DECIMALS), "ID_FIELD": "feature_id"}
_TABLE = (
    VectorFormat(
        name="geojson",
        suffix=".geojson",
        media_type="application/geo+json",
        driver="GeoJSONSeq",  # put in brackets: twice as fast as GDAL's GeoJSON
        options=_LINES,
        in_lonlat=True,
    ),
    VectorFormat(
        name="geojsonl",
        suffix=".geojsonl",
        media_type="application/geo+json-seq",
        driver="GeoJSONSeq",
        options=_LINES,
        in_lonlat=True,
    ),
    VectorFormat(
        name="gpkg",
        suffix=".gpkg",
        media_type="application/geopackage+sqlite3",
        driver="GPKG",
        options={"VERSION": "1.3"},  # QGIS before 3.28 warns of later ones
    ),
    VectorFormat(
        name="fgb",
        suffix=".fgb",
        media_type="application/vnd.flatgeobuf",
        driver="FlatGeobuf",
    ),
    VectorFormat(
        name="parquet",
        suffix=".parquet",
        media_type="application/vnd.apache.parquet",
    ),
    VectorFormat(
        name="shp",
        suffix=".shp",
        media_type="application/vnd.shp",
        driver="ESRI Shapefile",
        options={"DBF_DATE_LAST_UPDATE": "2000-01-01"},
        short_names={
            "perimeter_m": "perim_m",
            "pixel_count": "pixels",
            "mean_confidence": "mean_conf",
        },
    ),
    VectorFormat(
        name="pmtiles",
        suffix=".pmtiles",
        media_type="application/vnd.pmtiles",
        driver="PMTiles",  # which GDAL brings to Mercator
        in_lonlat=True,
    ),
)
FORMATS = {each.name: each.suffix for each in _TABLE}
"""The formats that can be written, and the suffix by which each is chosen."""
BY_SUFFIX = {each.suffix: each for each in _TABLE}
"""The same by their suffixes."""


def suffix_of(path: Path) -> str:
    """Give the suffix of a format, whatever the case; ``.json`` is ``.geojson``.

    Raises:
        VectorError: It is of no known format; the message lists those known.

    """
    suffix = ".geojson" if path.suffix.lower() == ".json" else path.suffix.lower()
    if suffix not in BY_SUFFIX:
        raise VectorError(
            f"{path} has no suffix of a vector format; "
            f"the suffixes are {', '.join(BY_SUFFIX)}"
        )
    return suffix
