"""Files that people made are never lost, whatever is written beside or over them."""

import os
import shutil
import sqlite3
import string
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from maps import LEGEND, ArrayMap

from geoseg.cli import main
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.overlay.aoi import read_aoi
from geoseg.overlay.labels import open_labels
from geoseg.overlay.reference import read_reference
from geoseg.raster import ClassMap
from geoseg.storage.authorship import Origin, origin_of
from geoseg.storage.lock import locked_file
from geoseg.storage.vectors.formats import FORMATS
from geoseg.storage.vectors.write import write_polygons
from geoseg.vectorize.polygons import polygons

VALUES = np.array([[[1, 1, 1, 2], [1, 3, 1, 2], [1, 1, 1, 2]]], np.uint8)
SUFFIXES = sorted(FORMATS.values())
NAMES = [
    "a!z",
    "a;z",
    "a?b#c%20d&e=f",
    "!",
    "s3:x",
    "'\"`$(touch x)",
    string.punctuation.replace("/", ""),
    string.digits + " " + string.ascii_letters,
    "模型 été Ω\u0301 😀\u202e",
]


@pytest.fixture
def class_map(make_raster):
    return make_raster("map.tif", values=VALUES, nodata=255)


def geoseg_(command, *arguments):
    return CliRunner().invoke(main, [command, *map(str, arguments)])


def refuse(*arguments):
    result = geoseg_(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


def content(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def small_frame():
    return polygons(ArrayMap(VALUES[0]), legend=LEGEND)


def by_hand(path, layer="mine"):
    frame = geopandas.GeoDataFrame(
        {"class": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4326"
    )
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path, layer=layer)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".pmtiles"])
def test_a_file_made_by_hand_is_kept_and_ours_is_replaced(tmp_path, class_map, suffix):
    path = tmp_path / f"labels{suffix}"
    by_hand(path)
    before = content(tmp_path)
    message = refuse("vectorize", class_map, "-o", path)
    assert "would be replaced, and" in message
    assert "--overwrite" in message
    assert content(tmp_path) == before
    assert geoseg_("vectorize", class_map, "-o", path, "--overwrite").exit_code == 0
    assert origin_of(path) is Origin.OURS
    assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0
    assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0


def test_a_style_made_by_hand_is_kept(tmp_path, class_map):
    (tmp_path / "a.qml").write_text("<qgis>my own colours</qgis>")
    message = refuse("vectorize", class_map, "-o", tmp_path / "a.fgb")
    assert "a.qml would be replaced, and geoseg did not write it" in message


def test_a_table_beside_a_new_shapefile_is_kept(tmp_path, class_map):
    (tmp_path / "a.dbf").write_bytes(b"a table of somebody's")
    message = refuse("vectorize", class_map, "-o", tmp_path / "a.shp")
    assert "a.dbf would be replaced" in message


def test_the_merged_raster_replaces_no_raster_of_somebody(
    tmp_path, class_map, make_raster
):
    mine = make_raster("mine.tif", values=VALUES, nodata=255)
    flags = ["vectorize", class_map, "-o", tmp_path / "a.fgb", "--write-raster"]
    assert "mine.tif would be replaced, and geoseg did not write it" in refuse(
        *flags, mine
    )
    assert "map.tif is an input" in refuse(*flags, class_map, "--overwrite")
    assert geoseg_(*flags, tmp_path / "tidy.tif").exit_code == 0
    assert geoseg_(*flags, tmp_path / "tidy.tif").exit_code == 0
    with rasterio.open(
        tmp_path / "tidy.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES"
    ) as dataset:
        dataset.write(VALUES[0, ::-1] + 1, 1)
    assert "somebody has changed it" in refuse(*flags, tmp_path / "tidy.tif")


def test_an_area_to_clip_to_is_not_replaced_by_what_is_cut(tmp_path, class_map):
    area = tmp_path / "area.gpkg"
    by_hand(area)
    (tmp_path / "link.gpkg").symlink_to(area)
    message = refuse(
        "vectorize", class_map, "-o", tmp_path / "link.gpkg", "--clip", area
    )
    assert "is an input" in message
    assert "the same file as" in message


def test_a_layer_is_written_into_a_geopackage_and_the_others_stay(tmp_path, class_map):
    path = tmp_path / "work.gpkg"
    by_hand(path, "roads")
    before = geopandas.read_file(path, layer="roads")
    assert "holds the layers roads; keep them by --layer NAME" in refuse(
        "vectorize", class_map, "-o", path
    )
    flags = ["vectorize", class_map, "-o", path, "--layer"]
    assert "the layer 'roads'" in refuse(*flags, "roads")
    for _ in range(2):
        assert geoseg_(*flags, "land cover").exit_code == 0
    layers = {name for name, kind in pyogrio.list_layers(path) if kind}
    assert layers == {"roads", "land cover"}
    assert geopandas.read_file(path, layer="roads").equals(before)
    assert len(geopandas.read_file(path, layer="land cover")) == 3
    with closing(sqlite3.connect(path)) as database:
        styles = database.execute("SELECT f_table_name FROM layer_styles").fetchall()
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()
    assert styles == [("land cover",)]
    assert sound == "ok"
    assert "no layers to choose" in refuse(
        "vectorize", class_map, "-o", tmp_path / "a.fgb", "--layer", "x"
    )


def test_a_geopackage_is_of_the_version_that_old_qgis_reads(tmp_path, class_map):
    path = tmp_path / "a.gpkg"
    assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (10300,)


def test_a_geopackage_in_wal_mode_that_is_open_is_not_replaced(tmp_path, class_map):
    path = tmp_path / "a.gpkg"
    assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0
    with closing(sqlite3.connect(path)) as editor:
        editor.execute("PRAGMA journal_mode = wal").fetchone()
        editor.execute("CREATE TABLE note (text)")
        for flags in ([], ["--overwrite"], ["--layer", "a"]):
            message = refuse("vectorize", class_map, "-o", path, *flags)
            assert "is open in another program" in message
        editor.execute("INSERT INTO note VALUES ('kept')")
        editor.commit()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT text FROM note").fetchall() == [("kept",)]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_index_of_other_polygons_does_not_stay_beside_a_shapefile(tmp_path):
    path = tmp_path / "a.shp"
    write_polygons(small_frame(), path, legend=LEGEND)
    # An index of one far point: a query by box through it finds nothing.
    far = geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs="EPSG:32633")
    far.to_file(tmp_path / "far.shp", SPATIAL_INDEX="YES")
    shutil.copy(tmp_path / "far.qix", tmp_path / "a.qix")
    (tmp_path / "a.sbn").touch()
    (tmp_path / "a.sbx").touch()
    middle = (399_975, 5_800_001, 399_976, 5_800_009)  # in a polygon
    assert len(geopandas.read_file(path, bbox=middle)) == 0
    write_polygons(small_frame(), path, legend=LEGEND)
    assert len(geopandas.read_file(path, bbox=middle)) == 1
    assert not {".qix", ".sbn", ".sbx"} & {p.suffix for p in tmp_path.glob("a.*")}


def test_overviews_and_masks_of_other_pixels_do_not_stay_beside_a_raster(
    tmp_path, class_map
):
    flags = ["vectorize", class_map, "-o", tmp_path / "a.fgb"]
    raster = tmp_path / "tidy.tif"
    assert geoseg_(*flags, "--write-raster", raster).exit_code == 0
    for suffix in (".ovr", ".msk"):
        shutil.copy(raster, f"{raster}{suffix}")
    assert geoseg_(*flags, "--write-raster", raster).exit_code == 0
    assert sorted(p.name for p in tmp_path.glob("tidy*")) == [
        "tidy.tif",
        "tidy.tif.aux.xml",
    ]
    assert (ClassMap.open(raster).counts()) == {1: 8, 2: 3, 3: 1}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("stem", NAMES)
def test_the_file_that_is_named_is_made_and_no_other_changes(
    tmp_path, monkeypatch, stem, suffix
):
    folder = tmp_path / "in!side;of"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    for where in (tmp_path, folder):
        for name in ("z", "a", stem[-1], stem.split(";")[0]):
            (where / f"{name}.other").write_text("somebody's")
        (where / f"z{suffix}").write_text("somebody's")
    before = content(tmp_path)
    path = folder / f"{stem}{suffix}"
    write_polygons(small_frame(), path, legend=LEGEND)
    after = content(tmp_path)
    new = {p.name for p in after.keys() - before.keys()}
    assert {k: v for k, v in after.items() if k in before} == before
    assert path.name in new
    assert {p.removesuffix(Path(p).suffix) for p in new} == {stem}
    assert origin_of(path) is Origin.OURS
    frame = small_frame()
    plane = GeoBox(3, 4, ArrayMap(VALUES[0]).transform, frame.crs)
    if suffix != ".pmtiles":
        assert read_aoi(str(path), plane).geometry.area == pytest.approx(1200, rel=1e-3)
        found = read_reference(path, plane, {"class 1": 1, "class 2": 2, "class 3": 3})
        assert (found.read(Window(0, 0, 3, 4)) == VALUES[0]).all()
    if suffix not in {".pmtiles", ".parquet"}:
        assert set(open_labels(path).names) == {"class 1", "class 2", "class 3"}


@pytest.mark.parametrize("name", ["X.GPKG", "x.GeoJSON", "x.json", "x.SHP", "x.Fgb"])
def test_suffixes_are_known_whatever_their_case(tmp_path, class_map, name):
    path = tmp_path / name
    for _ in range(2):
        assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0
    assert len(geopandas.read_file(path, layer=0)) == 3
    assert {p.name for p in tmp_path.glob(f"{path.stem}.*")} >= {name}


def test_an_empty_output_is_refused(class_map):
    assert "a path is empty" in refuse("vectorize", class_map, "-o", "")


def test_who_holds_a_lock_is_said_and_it_goes_with_its_process(tmp_path, class_map):
    path = tmp_path / "a.fgb"
    with locked_file(path):
        message = refuse("vectorize", class_map, "-o", path)
        assert f"is being written by process {os.getpid()}" in message
    script = (
        "import os, sys, pathlib\n"
        "from geoseg.storage.lock import locked_file\n"
        "with locked_file(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert killed.returncode == -9
    assert (tmp_path / ".a.fgb.lock").exists()
    assert geoseg_("vectorize", class_map, "-o", path).exit_code == 0
    assert not list(tmp_path.glob(".a.fgb*"))
