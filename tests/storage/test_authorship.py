"""What geoseg wrote is distinguished from what people made."""

import json
import sqlite3
from contextlib import closing

import geopandas
import pytest
import shapely

from geoseg.errors import OutputError
from geoseg.storage.authorship import (
    Origin,
    check_replaceable,
    checksum,
    files_mark,
    layer_origins,
    mark_layer,
    origin_of,
    signature,
)


def write_layers(path, *layers, marked=()):
    for layer in layers:
        geopandas.GeoDataFrame(
            {"class": ["a", "b"]},
            geometry=[shapely.Point(1, 2), shapely.Point(3, 4)],
            crs="EPSG:32633",
        ).to_file(path, layer=layer, driver="GPKG")
    with closing(sqlite3.connect(path)) as database, database:
        for layer in marked:
            mark_layer(database, layer)


def test_a_geopackage_is_ours_until_somebody_changes_a_row_of_it(tmp_path):
    path = tmp_path / "map.gpkg"
    write_layers(path, "map", marked=["map"])
    assert origin_of(path) is Origin.OURS
    with closing(sqlite3.connect(path)) as database:  # as QGIS does on a look at it
        database.execute("PRAGMA journal_mode = wal").fetchone()
        database.execute("PRAGMA journal_mode = delete").fetchone()
        assert origin_of(path) is Origin.OURS
        database.execute("VACUUM")
    assert origin_of(path) is Origin.OURS
    frame = geopandas.read_file(path)
    frame.loc[1, "class"] = "mine"
    frame.to_file(path, layer="map", driver="GPKG", mode="w")
    assert origin_of(path) is not Origin.OURS


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE map SET class = 'mine' WHERE fid = 2",
        "DELETE FROM map WHERE fid = 2",
        "UPDATE map SET geom = (SELECT geom FROM map WHERE fid = 1) WHERE fid = 2",
    ],
)
def test_a_row_that_was_changed_is_noticed(tmp_path, change):
    path = tmp_path / "map.gpkg"
    write_layers(path, "map", marked=["map"])
    with closing(sqlite3.connect(path)) as database, database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():  # they call functions that only GDAL has
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(change)
    assert origin_of(path) is Origin.CHANGED
    with pytest.raises(OutputError, match="somebody has changed it since geoseg"):
        check_replaceable(path)
    check_replaceable(path, overwrite=True)


def test_a_layer_of_somebody_makes_a_geopackage_theirs(tmp_path):
    path = tmp_path / "map.gpkg"
    write_layers(path, "map", "roads", marked=["map"])
    assert layer_origins(path) == {"map": Origin.OURS, "roads": Origin.FOREIGN}
    assert origin_of(path) is Origin.FOREIGN


@pytest.mark.parametrize("suffix", [".geojson", ".shp", ".fgb", ".parquet", ".pmtiles"])
def test_a_style_beside_a_file_says_what_geoseg_wrote(tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    path.write_bytes(b"polygons")
    assert origin_of(path) is Origin.FOREIGN
    style = path.with_suffix(".qml")
    style.write_text(f"<!-- {files_mark([path])} -->")
    assert origin_of(path) is origin_of(style) is Origin.OURS
    path.write_bytes(b"polygons that somebody moved")
    assert origin_of(path) is Origin.CHANGED
    style.write_text("<qgis/>")
    assert origin_of(path) is origin_of(style) is Origin.FOREIGN


def test_a_style_of_two_files_knows_both(tmp_path):
    first, second = tmp_path / "map.fgb", tmp_path / "map.geojson"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    text = files_mark([first])
    (tmp_path / "map.qml").write_text(files_mark([second], before=text))
    assert origin_of(first) is origin_of(second) is Origin.OURS


def test_the_record_of_a_run_knows_its_products(tmp_path):
    path = tmp_path / "landcover.parquet"
    path.write_bytes(b"polygons")
    record = {"geoseg": "1", "checksums": {path.name: checksum(path)}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert origin_of(path) is origin_of(tmp_path / "run.json") is Origin.OURS
    path.write_bytes(b"mine")
    assert origin_of(path) is Origin.CHANGED
    (tmp_path / "run.json").write_text(json.dumps({"mine": 1}))
    assert origin_of(path) is origin_of(tmp_path / "run.json") is Origin.FOREIGN


def test_points_to_be_labelled_are_known_by_their_design(tmp_path):
    path = tmp_path / "points.geojson"
    path.write_text("points")
    design = tmp_path / "points.geojson.design.json"
    design.write_text(json.dumps({"geoseg": signature(), "sha256": checksum(path)}))
    assert origin_of(path) is origin_of(design) is Origin.OURS
    path.write_text("labelled points")
    assert origin_of(path) is Origin.CHANGED


def test_a_folder_a_broken_database_and_a_loop_of_links_are_somebodys(tmp_path):
    broken = tmp_path / "x.gpkg"
    broken.write_bytes(b"SQLite format 3\0" + bytes(100))
    loop = tmp_path / "loop.tif"
    loop.symlink_to(loop)
    assert origin_of(tmp_path) is origin_of(broken) is Origin.FOREIGN
    assert origin_of(loop) is Origin.NOBODY
    with pytest.raises(OutputError, match="is a folder"):
        check_replaceable(tmp_path, overwrite=True)


def test_a_database_that_somebody_has_open_is_not_replaced_whatever_is_allowed(
    tmp_path,
):
    path = tmp_path / "map.gpkg"
    write_layers(path, "map", marked=["map"])
    with closing(sqlite3.connect(path)) as database:
        reader = database.execute("SELECT * FROM map")
        reader.fetchone()  # as long as it has not read all, it has a lock
        with pytest.raises(OutputError, match="being read or written by another"):
            check_replaceable(path, overwrite=True)
        reader.close()
        database.execute("PRAGMA journal_mode = wal").fetchone()
        database.execute("SELECT * FROM map").fetchall()
        with pytest.raises(OutputError, match="is open in another program"):
            check_replaceable(path, overwrite=True)
    check_replaceable(path)
    path.unlink()
    (tmp_path / "map.gpkg-journal").touch()  # would be rolled back into a new file
    with pytest.raises(OutputError, match=r"map\.gpkg-journal is beside it"):
        check_replaceable(path)
