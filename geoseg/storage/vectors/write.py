"""The door for vectors: polygons to files, complete or not at all.

The same polygons give the same bytes, so times that a format would store are
fixed.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from geoseg.errors import VectorError
from geoseg.geo.ground import unit_areas
from geoseg.storage.authorship import files_mark, mark_layer
from geoseg.storage.gdal_paths import layer_name, writable
from geoseg.storage.prefetch import read_ahead
from geoseg.storage.staging import atomic_file
from geoseg.storage.vectors import geojson
from geoseg.storage.vectors.formats import BY_SUFFIX, check_size, suffix_of
from geoseg.storage.vectors.geoparquet import write_parquet
from geoseg.storage.vectors.lonlat import ToLonlat
from geoseg.storage.vectors.qgis_style import make_qml
from geoseg.storage.vectors.read_back import check_file, check_layer, writing
from geoseg.storage.vectors.rows import Rows, to_frame, to_table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.storage.vectors.formats import VectorFormat

    _Prepare: TypeAlias = Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]

_FIXED_TIME = "2000-01-01T00:00:00.000Z"
_SAME = {
    "OGR_CURRENT_DATE": _FIXED_TIME,
    # Bytes of a GeoPackage's index in memory; more of it is on the disk.
    "OGR_GPKG_MAX_RAM_USAGE_RTREE": "256000000",
}
"""What GDAL would choose by the time and the machine."""
_WORLD_PIXEL = 156_543.0
"""Units of Web Mercator a pixel where a tile of 256 pixels is the world."""
_LAST_LATITUDE = 85.0512
"""Degrees north and south, beyond which Web Mercator has no tiles."""
_FINEST_ZOOM = 18
_ZOOMS = 6
"""How many zoom levels there are above the finest."""
_BATCH = 32_768
"""Polygons that are on their way to GDAL at once."""
_AHEAD = 2
"""Batches that are prepared before GDAL wants them, each in a thread."""


def write_polygons(
    polygons: gpd.GeoDataFrame | Rows,
    path: Path,
    *,
    legend: Legend,
    layer: str | None = None,
) -> None:
    """Write polygons to a file; its suffix chooses the format.

    One batch of them is in memory at a time. (FlatGeobuf's index is there as well: some
    hundred bytes a polygon.)

    In degrees of WGS 84 with seven decimals, shells counterclockwise, polygons
    valid after rounding too:

    * ``.geojson``: RFC 7946, one collection, cut at the antimeridian and closed over
      poles.
    * ``.geojsonl``: the same, a feature in each line, without a bracket around.

    In the polygons' CRS:

    * ``.gpkg``: GeoPackage with a spatial index.
    * ``.fgb``: FlatGeobuf with a spatial index; features in its order.
    * ``.parquet``: GeoParquet 1.1 with a covering box for each polygon, rows in
      Hilbert order.
    * ``.shp``: Shapefile, of several files, at most 2 GB each. Its names have ten
      letters at most, so that columns are called ``perim_m``, ``pixels`` and
      ``mean_conf``.

    In Web Mercator, as map tiles for the web, lines coarser in coarser ones:

    * ``.pmtiles``: vector tiles down to the zoom at which a pixel of the map is
      a quarter of a screen's pixel; it needs at least one polygon, and none beyond
      85.05 degrees north and south. ``feature_id`` is the same in all tiles that show
      a part of a polygon.

    The style that shows the classes' colours in QGIS is written inside a
    GeoPackage, and beside the file (``.qml``) in every other format. Either also holds
    checksums, by which `geoseg.storage.authorship` knows the file.

    Args:
        polygons: What `geoseg.vectorize.polygons` gives; there may be none.
        path: The file, replaced if it exists: see `replacing`.
        legend: The classes of the map.
        layer: The layer of a GeoPackage to write or replace; others stay. The whole
            file, with one layer of the file's name, where None.

    Raises:
        VectorError: The suffix is unknown, or the polygons do not fit the format.
        DiskError: The file cannot be written.
        OutputError: Another program has the file open.

    """
    suffix, layer_named = suffix_of(path), layer or layer_name(path.stem)
    rows = polygons if isinstance(polygons, Rows) else Rows.of(polygons, _BATCH)
    _check_largest(rows, path, BY_SUFFIX[suffix])
    with atomic_file(path) as partial:
        if suffix == ".gpkg" and layer is not None and path.exists():
            shutil.copyfile(path, partial)
        with writing(), writable(partial, suffix) as plain:
            if suffix == ".parquet":
                write_parquet(rows, plain)
            elif suffix in geojson.SUFFIXES:
                geojson.write_geojson(rows, plain, path.stem)
            else:
                _write_with_gdal(rows, plain, layer_named)
            if suffix == ".gpkg":
                _add_style(plain, layer_named, make_qml(legend))
                check_layer(plain, layer_named, rows.count)
        if suffix != ".gpkg":
            _write_style(path, partial, make_qml(legend))


def _check_largest(rows: Rows, path: Path, form: VectorFormat) -> None:
    """Refuse a polygon that a format has no room for: a sea with all its islands."""
    roomier = [
        each.suffix
        for each in BY_SUFFIX.values()
        if each.most_bytes > form.most_bytes and not each.for_screens
    ]
    instead = f"write {' or '.join(roomier)} instead, or " if roomier else ""
    check_size(rows.largest, form.most_bytes, path.name, instead)


def read_polygons(path: Path, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read back what `write_polygons` wrote, in any format but ``.pmtiles``.

    Raises:
        VectorError: The file is gone, or cannot be read.

    """
    try:
        if path.suffix == ".parquet":
            return gpd.read_parquet(path)
        if path.suffix == ".gpkg" and layer is None:
            layer = layer_name(path.stem)
        return pyogrio.read_dataframe(path, layer=layer)
    except (OSError, ValueError, pyogrio.errors.DataSourceError) as error:
        raise VectorError(f"{path} cannot be read ({error}); map again") from error


def write_style(raster: Path, legend: Legend) -> None:
    """Write the style beside a class map, with the checksum of the map.

    Args:
        raster: The class map, which is there.
        legend: Its classes.

    Raises:
        DiskError: The file cannot be written.

    """
    style = raster.with_suffix(".qml")
    with atomic_file(style) as partial:
        text = f"{make_qml(legend)}<!-- {files_mark([raster])} -->\n"
        partial.write_text(text, encoding="utf-8")


def _write_style(path: Path, partial: Path, qml: str) -> None:
    """Write the style beside a file, with the checksums of the file's parts."""
    style = path.with_suffix(".qml")
    before = style.read_bytes().decode(errors="replace") if style.is_file() else ""
    made = [each for each in partial.parent.iterdir() if each.stem == path.stem]
    text = f"{qml}<!-- {files_mark(made, before)} -->\n"
    partial.with_suffix(".qml").write_text(text, encoding="utf-8")


def check_locatable(suffixes: Collection[str], geobox: GeoBox) -> None:
    """Refuse formats that cannot say where a map is.

    Raises:
        VectorError: One of the suffixes needs longitude and latitude, or ESRI's WKT,
            and the CRS has none; or Web Mercator, and the map goes on beyond its ends.

    """
    needy = [suffix for suffix in suffixes if BY_SUFFIX[suffix].in_lonlat]
    if needy and not geobox.is_on_earth:
        raise VectorError(
            f"{', '.join(needy)} needs longitude and latitude, and the CRS "
            f"{geobox.crs.name!r} is a local one that has none; write .gpkg, .fgb, "
            f".parquet or .shp instead, or give the scene a CRS on Earth"
        )
    if ".shp" in suffixes and not _has_esri_wkt(geobox.crs):
        raise VectorError(
            f".shp keeps its CRS as ESRI's WKT, and the CRS {geobox.crs.name!r} has no "
            f"ESRI WKT, so that nobody could know where the polygons are; write .gpkg, "
            f".fgb or .parquet instead, or map in another CRS"
        )
    if ".pmtiles" in suffixes:
        bounds = geobox.lonlat_bounds()
        _check_mercator(bounds.bottom, bounds.top)


def _has_esri_wkt(crs: CRS) -> bool:
    try:
        crs.to_wkt("WKT1_ESRI")
    except CRSError:
        return False
    return True


def _check_mercator(south: float, north: float) -> None:
    if max(north, -south) > _LAST_LATITUDE and math.isfinite(north - south):
        raise VectorError(
            f".pmtiles is in Web Mercator, which ends at 85.05 degrees north and "
            f"south, and the map reaches from {south:.6g} to {north:.6g}; write "
            f"another format, or map an area that ends before"
        )


def _write_with_gdal(rows: Rows, path: Path, layer: str) -> None:
    """Write a layer with the GDAL driver of the file's suffix."""
    form = BY_SUFFIX[path.suffix]
    options = dict(form.options)
    if path.suffix == ".pmtiles":
        options |= _zooms(rows, path)
    prepare: _Prepare | None = _all_multi if rows.many else None
    if form.in_lonlat and rows.count:
        prepare = ToLonlat.of(rows.crs, rows.bounds, rows.pixel)
    refusals: list[Exception] = []
    batches = _batches(rows, form, prepare, refusals)
    schema = next(batches).schema
    try:
        with reproducible():
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches),
                path,
                layer=layer,
                driver=form.driver,
                geometry_name="geometry",
                geometry_type=_layer_type(in_lonlat=form.in_lonlat, many=rows.many),
                crs="EPSG:4326" if form.in_lonlat else rows.crs.to_wkt(),
                encoding="UTF-8",
                **options,
            )
    except RuntimeError as error:  # GDAL's own, or that a batch was refused
        if refusals:
            raise refusals[0] from error
        raise
    if path.suffix == ".pmtiles":
        _count_tiled(path, rows.count)
    elif path.suffix != ".gpkg":
        check_file(path, rows.count)


def _count_tiled(path: Path, count: int) -> None:
    """Refuse tiles that lack some of the polygons, as GDAL makes of a great many."""
    _, table = pyogrio.read_arrow(path, columns=["feature_id"], read_geometry=False)
    found = len(table["feature_id"].unique())
    if found != count:
        raise VectorError(
            f"{path.name} would show {found:,} of {count:,} polygons: a tile has no "
            f"room for more; merge small ones (a smallest area to keep), straighten "
            f"lines, or write another format"
        )


def _layer_type(*, in_lonlat: bool, many: bool) -> str:
    """Name the type that a layer's geometries have in common."""
    if in_lonlat:
        return "Unknown"  # GeoJSON mixes them, and names each
    return "MultiPolygon" if many else "Polygon"


def _batches(
    rows: Rows,
    form: VectorFormat,
    prepare: _Prepare | None,
    refusals: list[Exception],
) -> Iterator[pa.RecordBatch]:
    """Give rows as Arrow batches, of which one at a time is in memory.

    Args:
        rows: The polygons.
        form: How they are written.
        prepare: What is done with some of the rows before they are written.
        refusals: Filled with the error if that fails: GDAL, which asks for the
            batches, would not pass it on.

    Yields:
        A batch without rows, for its schema; then the rows.

    """
    as_they_wait = prepare is None and not form.in_lonlat
    tables = rows.tables() if as_they_wait else _prepared(rows, form, prepare, refusals)
    schema = None
    for table in tables:
        names = [form.short_names.get(name, name) for name in table.column_names]
        renamed = table.rename_columns(names)
        if schema is None:
            schema = renamed.schema
            yield pa.RecordBatch.from_pylist([], schema)
        yield from renamed.cast(schema).to_batches()


def _prepared(
    rows: Rows,
    form: VectorFormat,
    prepare: _Prepare | None,
    refusals: list[Exception],
) -> Iterator[pa.Table]:
    """Prepare rows some at a time, after a table without any.

    Threads do it for the next rows while GDAL writes the last.
    """

    def prepared(some: tuple[int, pa.Table]) -> pa.Table:
        first, table = some
        frame = to_frame(table, rows.crs)
        if form.in_lonlat:
            frame = frame.assign(feature_id=np.arange(first, first + len(frame)))
        return to_table(frame if prepare is None or not len(frame) else prepare(frame))

    tables = read_ahead(prepared, rows.numbered(), _AHEAD)
    try:
        for number, (_, table) in enumerate(tables):
            if number == 0:
                yield table.slice(0, 0)
            if len(table):
                yield table
    except Exception as error:
        refusals.append(error)
        raise


def _all_multi(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Turn polygons among multipolygons into multipolygons of one."""
    parts, owners = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    return frame.set_geometry(shapely.multipolygons(parts, indices=owners))


def _zooms(rows: Rows, path: Path) -> dict[str, str]:
    """Choose the zoom levels of tiles that show the map's pixels."""
    if not rows.count:
        raise VectorError(
            f"{path.name} cannot be tiles of nothing, and there are no polygons; "
            f"every other format can be empty"
        )
    side = rows.pixel_m / _mercator_unit(rows)
    finest = int(np.clip(np.rint(np.log2(_WORLD_PIXEL / side)) - 2, 0, _FINEST_ZOOM))
    return {"MINZOOM": str(max(0, finest - _ZOOMS)), "MAXZOOM": str(finest)}


def _mercator_unit(rows: Rows) -> float:
    """Metres of a unit of Web Mercator on the ground, in the middle of polygons."""
    left, bottom, right, top = rows.bounds
    web = CRS.from_epsg(3857)
    way = Transformer.from_crs(rows.crs, web, always_xy=True)
    x, y = way.transform([(left + right) / 2], [(bottom + top) / 2])
    unit = float(np.sqrt(unit_areas(web, np.array(x), np.array(y)))[0])
    return unit if np.isfinite(unit) else 1.0


@contextmanager
def reproducible() -> Iterator[None]:
    """Have GDAL write the same on every machine, and at every time.

    It would write now as the time of the last change, and index a GeoPackage in another
    way where that takes more than a tenth of the memory there is.
    """
    before = {name: pyogrio.get_gdal_config_option(name) for name in _SAME}
    pyogrio.set_gdal_config_options(_SAME)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _add_style(path: Path, layer: str, qml: str) -> None:
    """Put a style in a GeoPackage, in the table where QGIS looks for one.

    The mark that says who wrote the layer, and what, comes last.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            """
            CREATE TABLE IF NOT EXISTS layer_styles (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                f_table_catalog TEXT(256), f_table_schema TEXT(256),
                f_table_name TEXT(256), f_geometry_column TEXT(256),
                styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
                useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
                ui TEXT(30), update_time DATETIME
            )
            """
        )
        database.execute("DELETE FROM layer_styles WHERE f_table_name = ?", (layer,))
        database.execute(
            "INSERT INTO layer_styles VALUES "
            "(NULL, '', '', ?, 'geom', ?, ?, '', TRUE, 'Colours of the classes', '', "
            "'', ?)",
            (layer, layer, qml, _FIXED_TIME),
        )
        database.execute(
            "INSERT OR IGNORE INTO gpkg_contents "
            "(table_name, data_type, identifier, last_change)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', ?)",
            (_FIXED_TIME,),
        )
        mark_layer(database, layer)
