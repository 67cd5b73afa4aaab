"""The formats that polygons are written in: one row each, for everybody who asks.

A new format is a row of `_TABLE`, with GDAL's driver and what `geoseg plan` is to count
with; `write` needs more only where GDAL alone would not do, as of GeoParquet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geoseg.errors import VectorError

if TYPE_CHECKING:
    from pathlib import Path


VERTEX_BYTES = 16
"""Of a vertex in well-known binary; those of rings and of the rest are few."""
MOST_BYTES = (1 << 31) - 1
"""What a polygon may have on its way to any file: Arrow counts a value's bytes in 32
bits."""


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
    for_screens: bool = False
    """Whether it holds what maps on screens show, and not the polygons themselves."""
    short_names: dict[str, str] = field(default_factory=dict)
    """New names for columns whose names are too long for it."""
    most_bytes: int = MOST_BYTES
    """The bytes, of well-known binary, that one polygon may have."""
    bytes_per_polygon: float
    bytes_per_vertex: float
    """What a file takes, by least squares of maps of several kinds."""
    held_per_vertex: float = 0
    """Bytes that the writer holds in memory until the end: an index of all polygons."""
    vertices_per_polygon: int
    """As many vertices as a polygon takes the time of, whatever it has: roughly, from
    maps of large polygons and of small ones."""


DECIMALS = 7
"""Decimals of a degree: about a centimetre."""
_LINES = {"COORDINATE_PRECISION": str(DECIMALS), "ID_FIELD": "feature_id"}
_TABLE = (
    VectorFormat(
        name="geojson",
        suffix=".geojson",
        media_type="application/geo+json",
        driver="GeoJSONSeq",  # put in brackets: twice as fast as GDAL's GeoJSON
        options=_LINES,
        in_lonlat=True,
        bytes_per_polygon=340,
        bytes_per_vertex=24,
        vertices_per_polygon=7,
    ),
    VectorFormat(
        name="geojsonl",
        suffix=".geojsonl",
        media_type="application/geo+json-seq",
        driver="GeoJSONSeq",
        options=_LINES,
        in_lonlat=True,
        bytes_per_polygon=340,
        bytes_per_vertex=24,
        vertices_per_polygon=7,
    ),
    VectorFormat(
        name="gpkg",
        suffix=".gpkg",
        media_type="application/geopackage+sqlite3",
        driver="GPKG",
        options={"VERSION": "1.3"},  # QGIS before 3.28 warns of later ones
        most_bytes=1_000_000_000,  # of a value of SQLite's
        bytes_per_polygon=203,
        bytes_per_vertex=16,
        vertices_per_polygon=75,
    ),
    VectorFormat(
        name="fgb",
        suffix=".fgb",
        media_type="application/vnd.flatgeobuf",
        driver="FlatGeobuf",
        bytes_per_polygon=149,
        bytes_per_vertex=16,
        held_per_vertex=12,
        vertices_per_polygon=25,
    ),
    VectorFormat(
        name="parquet",
        suffix=".parquet",
        media_type="application/vnd.apache.parquet",
        bytes_per_polygon=40,
        bytes_per_vertex=2.5,
        vertices_per_polygon=15,
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
        bytes_per_polygon=213,
        bytes_per_vertex=16,
        vertices_per_polygon=66,
    ),
    VectorFormat(
        name="pmtiles",
        suffix=".pmtiles",
        media_type="application/vnd.pmtiles",
        driver="PMTiles",  # which GDAL brings to Mercator
        in_lonlat=True,
        for_screens=True,
        bytes_per_polygon=40,
        bytes_per_vertex=3,
        vertices_per_polygon=17,
    ),
)
FORMATS = {each.name: each.suffix for each in _TABLE}
"""The formats that can be written, and the suffix by which each is chosen."""
BY_NAME = {each.name: each for each in _TABLE}
"""All of them by their names."""
BY_SUFFIX = {each.suffix: each for each in _TABLE}
"""The same by their suffixes."""
READ_BACK = sorted(
    (each.name for each in _TABLE if not each.for_screens),
    key=lambda name: (bool(BY_NAME[name].short_names), BY_NAME[name].in_lonlat),
)
"""Those whose polygons are read again, the most exact first."""


def known_formats() -> tuple[str, ...]:
    """Name the formats that polygons can be written in.

    Example:
        >>> known_formats()[:3]
        ('geojson', 'geojsonl', 'gpkg')

    """
    return tuple(FORMATS)


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


def check_size(size: int, most: int, holder: str, instead: str = "") -> None:
    """Refuse a polygon that something has no room for.

    Args:
        size: Its bytes.
        most: The bytes that there is room for.
        holder: What holds it.
        instead: What could be done, and "or", where there is more than usual.

    Raises:
        VectorError: It is larger.

    """
    if size > most:
        raise VectorError(
            f"{holder} cannot hold a polygon of {size / 1e9:,.2f} GB, as the largest "
            f"is with all its holes: {most / 1e9:,.2f} GB are the most; {instead}"
            f"straighten lines (`simplify`), merge small patches (`min_area`), leave "
            f"its class out (`classes`), or cut the map"
        )
