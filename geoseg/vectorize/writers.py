"""The door for vectors: polygons to files, complete or not at all.

The same polygons give the same bytes, so times that a format would store are
fixed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

from geoseg.atomic import atomic_file
from geoseg.errors import DiskError, VectorError
from geoseg.vectorize.geojson import to_lonlat
from geoseg.vectorize.style import make_qml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import geopandas as gpd

    from geoseg.classes import Legend

FORMATS = {
    "geojson": ".geojson",
    "gpkg": ".gpkg",
    "fgb": ".fgb",
    "parquet": ".parquet",
}
"""The formats that can be written, and the suffix by which each is chosen."""

_DRIVERS = {".geojson": "GeoJSON", ".gpkg": "GPKG", ".fgb": "FlatGeobuf"}
_OPTIONS = {".geojson": {"RFC7946": "YES", "ID_GENERATE": "YES"}}
_FIXED_TIME = "2000-01-01T00:00:00.000Z"
_ROW_GROUP = 65_536
"""Polygons in a row group of GeoParquet: what a reader can skip at once."""


def write_polygons(frame: gpd.GeoDataFrame, path: Path, *, legend: Legend) -> None:
    """Write polygons to a file; its suffix chooses the format.

    * ``.geojson``: RFC 7946, that is in degrees of WGS 84 with seven decimals,
      shells counterclockwise; polygons are valid after rounding too.
    * ``.gpkg``: GeoPackage with a spatial index, in the polygons' CRS.
    * ``.fgb``: FlatGeobuf with a spatial index, in the polygons' CRS.
    * ``.parquet``: GeoParquet 1.1 with a covering box for each polygon, rows in
      Hilbert order, in the polygons' CRS.

    The style that shows the classes' colours in QGIS is written inside a
    GeoPackage, and beside the file (``.qml``) in every other format.

    Args:
        frame: What `geoseg.vectorize.polygons.polygons` gives; it may be empty.
        path: The file, replaced if it exists.
        legend: The classes of the map.

    Raises:
        VectorError: The suffix is unknown, or the polygons do not fit the format.
        DiskError: The file cannot be written.

    """
    check_suffix(path)
    if path.suffix == ".geojson":
        frame = to_lonlat(frame)
    with atomic_file(path) as partial:
        if path.suffix == ".parquet":
            _write_parquet(frame, partial)
        else:
            _write_with_gdal(frame, partial)
        if path.suffix == ".gpkg":
            _add_style(partial, make_qml(legend))
        else:
            partial.with_suffix(".qml").write_text(make_qml(legend), encoding="utf-8")


def check_suffix(path: Path) -> None:
    """Refuse a file whose suffix is of no known format.

    Raises:
        VectorError: The suffix is unknown; the message lists those known.

    """
    if path.suffix not in FORMATS.values():
        raise VectorError(
            f"{path} has no suffix of a vector format; "
            f"the suffixes are {', '.join(FORMATS.values())}"
        )


def _write_with_gdal(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write a file with the GDAL driver of its suffix."""
    types = shapely.get_type_id(frame.geometry.array)
    many = bool(np.any(types == shapely.GeometryType.MULTIPOLYGON))
    try:
        with _fixed_time():
            pyogrio.write_dataframe(
                frame,
                path,
                layer=path.stem,
                driver=_DRIVERS[path.suffix],
                geometry_type="MultiPolygon" if many else "Polygon",
                promote_to_multi=many,
                use_arrow=True,
                **_OPTIONS.get(path.suffix, {}),
            )
    except (DataSourceError, DataLayerError, FeatureError) as error:
        raise DiskError(f"cannot write {path.name}: {error}") from error


def _write_parquet(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write GeoParquet, neighbours on the ground in the same row group."""
    if len(frame):
        frame = frame.iloc[np.argsort(frame.hilbert_distance(), kind="stable")]
    frame.to_parquet(
        path,
        index=False,
        compression="zstd",
        schema_version="1.1.0",
        write_covering_bbox=True,
        row_group_size=_ROW_GROUP,
    )


@contextmanager
def _fixed_time() -> Iterator[None]:
    """Have GDAL write one moment, not now, as the time of the last change."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_TIME})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _add_style(path: Path, qml: str) -> None:
    """Put a style in a GeoPackage, in the table where QGIS looks for one."""
    layer = path.stem
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            """
            CREATE TABLE layer_styles (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                f_table_catalog TEXT(256), f_table_schema TEXT(256),
                f_table_name TEXT(256), f_geometry_column TEXT(256),
                styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
                useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
                ui TEXT(30), update_time DATETIME
            )
            """
        )
        database.execute(
            "INSERT INTO layer_styles VALUES "
            "(1, '', '', ?, 'geom', ?, ?, '', TRUE, 'Colours of the classes', '', "
            "'', ?)",
            (layer, layer, qml, _FIXED_TIME),
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', ?)",
            (_FIXED_TIME,),
        )
