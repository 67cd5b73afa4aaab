"""Files of polygons: complete or absent, valid, the same bytes every time."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from affine import Affine
from maps import ArrayMap
from pyproj import CRS, Transformer

from geoseg.errors import DiskError, VectorError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.storage.vectors import read_back, rows
from geoseg.storage.vectors import write as writers
from geoseg.storage.vectors.formats import BY_SUFFIX, FORMATS
from geoseg.storage.vectors.qgis_style import make_qml
from geoseg.storage.vectors.write import check_locatable, write_polygons
from geoseg.vectorize.polygons import Drawing, polygons

LEGEND = Legend(
    (
        LandClass(0, "water", "#0000ff"),
        LandClass(1, "forest", "#00aa00"),
        LandClass(2, "built-up", "#cc2222"),
    )
)
TILES = ".pmtiles"
SUFFIXES = sorted({*FORMATS.values()} - {TILES})
"""Tiles cut polygons up and round their corners: they are tested apart."""
IN_LONLAT = {".geojson", ".geojsonl"}


LONG_NAMES = {
    "perim_m": "perimeter_m",
    "pixels": "pixel_count",
    "mean_conf": "mean_confidence",
}


def make_frame(
    pixels=None,
    transform=Affine(10, 0, 399_960, 0, -10, 5_800_020),  # noqa: B008 - a value
    crs="EPSG:32633",
    drawing=Drawing(),  # noqa: B008 - a value
):
    if pixels is None:
        pixels = np.random.default_rng(3).choice([0, 1, 2, NODATA], (37, 53))
        pixels = pixels.astype(np.uint8)
    raster = ArrayMap(pixels, transform, crs)
    percent = ArrayMap((pixels * 30 % 101).astype(np.uint8), transform, crs)
    return polygons(raster, legend=LEGEND, confidence=percent, drawing=drawing)


def read(path):
    if path.suffix == ".parquet":
        return gpd.read_parquet(path)
    return gpd.read_file(path, layer=path.stem)  # a GeoPackage has its style too


def key(frame):
    """Sort rows by what no format changes."""
    points = frame.geometry.representative_point()
    return frame.iloc[np.lexsort((points.x, points.y))].reset_index(drop=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_holds_every_polygon_with_its_numbers(tmp_path, suffix):
    frame = make_frame()
    path = tmp_path / f"landcover{suffix}"
    write_polygons(frame, path, legend=LEGEND)
    back = read(path)
    if suffix == ".shp":  # which has no room for longer names
        back = back.rename(columns=LONG_NAMES)
    assert list(back.columns) == list(frame.columns)
    assert back.is_valid.all()
    assert {entry.stem for entry in tmp_path.iterdir()} == {"landcover"}
    ours = frame.to_crs(back.crs)
    if suffix in {".fgb", ".parquet"}:  # rows are sorted by position
        ours, back = key(ours), key(back)
    for column in frame.columns.drop("geometry"):
        np.testing.assert_array_equal(back[column], ours[column])
    difference = shapely.hausdorff_distance(back.geometry, ours.geometry)
    assert difference.max() < (1e-6 if suffix in IN_LONLAT else 1e-9)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_polygons_are_the_same_bytes(tmp_path, suffix):
    frame = make_frame()
    first, second = tmp_path / f"map{suffix}", tmp_path / "again" / f"map{suffix}"
    second.parent.mkdir()
    write_polygons(frame, first, legend=LEGEND)
    write_polygons(frame, second, legend=LEGEND)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_how_many_are_written_at_once_never_shows(tmp_path, monkeypatch, suffix):
    frame = make_frame(drawing=Drawing(connectivity=8))
    assert set(frame.geom_type) == {"Polygon", "MultiPolygon"}
    path = tmp_path / f"landcover{suffix}"
    write_polygons(frame, path, legend=LEGEND)
    whole = read(path)
    monkeypatch.setattr(writers, "_BATCH", 7)
    monkeypatch.setattr(read_back, "_CHUNK", 101)
    write_polygons(frame, path, legend=LEGEND)
    assert read(path).equals(whole)
    assert len(whole) == len(frame)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_polygons_make_a_valid_file_without_rows(tmp_path, suffix):
    frame = make_frame(np.full((5, 7), NODATA, np.uint8))
    path = tmp_path / f"landcover{suffix}"
    write_polygons(frame, path, legend=LEGEND)
    if suffix == ".geojsonl":  # no line is all there is to say
        assert path.read_bytes() == b""
        return
    back = read(path)
    assert len(back) == 0
    assert back.crs is not None
    if suffix not in IN_LONLAT:  # which have no schema
        assert len(back.columns) == len(frame.columns)


def test_geojson_is_as_rfc_7946_asks(tmp_path):
    frame = make_frame()
    path = tmp_path / "landcover.geojson"
    write_polygons(frame, path, legend=LEGEND)
    text = path.read_text()
    collection = json.loads(text)
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    assert [feature["id"] for feature in collection["features"]] == list(
        range(len(frame))
    )
    for feature in collection["features"]:
        assert feature["geometry"]["type"] == "Polygon"
        shell, *holes = feature["geometry"]["coordinates"]
        assert shapely.LinearRing(shell).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
        for ring in (shell, *holes):
            assert ring[0] == ring[-1]
            for x, y in ring:
                assert (round(x, 7), round(y, 7)) == (x, y)
                assert 11 < x < 15
                assert 50 < y < 54


def test_geojson_is_valid_where_rounding_bends_polygons(tmp_path):
    # Pixels of 3 cm are 3 to 4 units of the last decimal: corners move visibly.
    frame = make_frame(transform=Affine(0.03, 0, 399_960, 0, -0.03, 5_800_020))
    path = tmp_path / "landcover.geojson"
    write_polygons(frame, path, legend=LEGEND)
    assert read(path).is_valid.all()


def test_polygons_too_small_for_geojson_are_refused(tmp_path):
    frame = make_frame(transform=Affine(1e-4, 0, 399_960, 0, -1e-4, 5_800_020))
    path = tmp_path / "landcover.geojson"
    with pytest.raises(VectorError, match="smaller than GeoJSON's 7 decimals"):
        write_polygons(frame, path, legend=LEGEND)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("crs", "x"),
    [
        ('LOCAL_CS["a garden",UNIT["metre",1]]', 0),  # located nowhere on Earth
        ("ESRI:54030", 30_000_000),  # beyond the edge of Robinson's world
    ],
)
@pytest.mark.parametrize("suffix", [".geojson", ".geojsonl"])
def test_polygons_that_have_no_longitude_are_refused(tmp_path, crs, x, suffix):
    frame = make_frame(transform=Affine(10, 0, x, 0, -10, 0), crs=crs)
    with pytest.raises(VectorError, match=r"cannot be brought to longitude.*another"):
        write_polygons(frame, tmp_path / f"landcover{suffix}", legend=LEGEND)
    assert list(tmp_path.iterdir()) == []


def test_geojson_is_cut_at_the_antimeridian(tmp_path):
    to_utm = Transformer.from_crs(4326, 32601, always_xy=True)
    x, y = to_utm.transform(180, 63)
    frame = make_frame(
        np.zeros((7, 11), np.uint8),
        Affine(1000, 0, x - 4300, 0, -1000, y),
        "EPSG:32601",
    )
    path = tmp_path / "landcover.geojson"
    write_polygons(frame, path, legend=LEGEND)
    back = read(path).geometry[0]
    assert back.is_valid
    assert {part.bounds[0] == -180 or part.bounds[2] == 180 for part in back.geoms} == {
        True
    }
    width = sum(part.bounds[2] - part.bounds[0] for part in back.geoms)
    assert width == pytest.approx(11_000 / 50_600, rel=0.05)  # degrees at 63 north


def test_geoparquet_covers_each_polygon_with_a_box(tmp_path):
    path = tmp_path / "landcover.parquet"
    write_polygons(make_frame(), path, legend=LEGEND)
    schema = pq.read_schema(path)
    geo = json.loads(schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert set(geo["columns"]["geometry"]["covering"]["bbox"]) == {
        "xmin",
        "ymin",
        "xmax",
        "ymax",
    }


def test_lines_of_geojson_are_features_one_by_one(tmp_path):
    frame = make_frame()
    path = tmp_path / "landcover.geojsonl"
    write_polygons(frame, path, legend=LEGEND)
    features = [json.loads(line) for line in path.read_text().splitlines()]
    assert [feature["id"] for feature in features] == list(range(len(frame)))
    for feature in features:
        shell, *holes = feature["geometry"]["coordinates"]
        assert shapely.LinearRing(shell).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)


def test_tiles_show_the_polygons_where_they_lie(tmp_path):
    frame = make_frame()
    path = tmp_path / "landcover.pmtiles"
    write_polygons(frame, path, legend=LEGEND)
    first = path.read_bytes()
    write_polygons(frame, path, legend=LEGEND)
    assert path.read_bytes() == first
    back = gpd.read_file(path)
    assert set(back.class_name) == {"water", "forest", "built-up"}
    ours = frame.to_crs(back.crs).union_all()
    # A tile of zoom 12 is 9784 m, in 4096 steps of 2.4 m.
    assert back.buffer(0).union_all().hausdorff_distance(ours) < 2 * 2.4


def test_tiles_across_the_antimeridian_show_what_is_there_and_no_band(tmp_path):
    to_utm = Transformer.from_crs(4326, 32601, always_xy=True)
    x, y = to_utm.transform(180, 63)
    transform = Affine(1000, 0, x - 4300, 0, -1000, y)
    frame = make_frame(np.zeros((7, 11), np.uint8), transform, "EPSG:32601")
    path = tmp_path / "landcover.pmtiles"
    write_polygons(frame, path, legend=LEGEND)
    back = gpd.read_file(path).to_crs(4326)
    assert set(back.feature_id) == {0}
    east, north = to_utm.transform(
        *np.meshgrid(x - 4300 + np.arange(500, 11_000, 1000), y - 3500),
        direction="INVERSE",
    )
    shape = back.buffer(0).union_all()
    assert shapely.contains_xy(shape, east, north).all()
    assert not shapely.contains_xy(shape, [0.0, 170, -170], [62.97] * 3).any()


def test_no_polygon_is_lost_in_tiles_without_a_word(tmp_path, monkeypatch):
    path = tmp_path / "landcover.pmtiles"
    monkeypatch.setitem(BY_SUFFIX[TILES].options, "MAX_FEATURES", "10")
    with pytest.raises(VectorError, match=r"show \d+ of [\d,]+ polygons.*room"):
        write_polygons(make_frame(), path, legend=LEGEND)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (3413, Affine(100_000, 0, -400_000, 0, -100_000, 400_000)),
        (4326, Affine(1, 0, 10, 0, -1, 88)),
        (3031, Affine(100_000, 0, -400_000, 0, -100_000, 400_000)),
    ],
)
def test_tiles_beyond_the_ends_of_mercator_are_refused_before_anything_is_made(
    crs, transform
):
    plane = GeoBox(8, 8, transform, CRS.from_epsg(crs))
    with pytest.raises(VectorError, match=r"pmtiles is in Web Mercator.*85\.05"):
        check_locatable([".gpkg", ".pmtiles"], plane)
    check_locatable([".geojson"], plane)
    world = Affine(40075016.68557849 / 8, 0, -20037508.342789244, 0, -5e6, 2e7)
    check_locatable([".pmtiles"], GeoBox(8, 8, world, CRS.from_epsg(3857)))


def test_tiles_of_nothing_are_refused(tmp_path):
    frame = make_frame(np.full((5, 7), NODATA, np.uint8))
    with pytest.raises(VectorError, match=r"landcover\.pmtiles cannot be tiles"):
        write_polygons(frame, tmp_path / "landcover.pmtiles", legend=LEGEND)
    assert list(tmp_path.iterdir()) == []


def test_a_polygon_too_large_for_a_format_is_refused_with_those_that_hold_it(
    tmp_path, monkeypatch
):
    frame = make_frame()
    size = int(shapely.get_num_coordinates(frame.geometry).max()) * 16
    small = replace(BY_SUFFIX[".gpkg"], most_bytes=size - 1)
    monkeypatch.setitem(BY_SUFFIX, ".gpkg", small)
    with pytest.raises(
        VectorError,
        match=r"landcover\.gpkg cannot hold a polygon of 0\.00 GB.*write \.geojson or "
        r".*\.fgb or .* instead, or straighten lines \(`simplify`\)",
    ):
        write_polygons(frame, tmp_path / "landcover.gpkg", legend=LEGEND)
    assert list(tmp_path.iterdir()) == []
    write_polygons(frame, tmp_path / "landcover.fgb", legend=LEGEND)
    monkeypatch.setattr(rows, "MOST_BYTES", size - 1)
    with pytest.raises(VectorError, match=r"^a file cannot hold a polygon .* or cut"):
        write_polygons(frame, tmp_path / "again.fgb", legend=LEGEND)


def test_an_unknown_suffix_is_refused_with_those_known(tmp_path):
    with pytest.raises(VectorError, match=r"landcover\.xyz.*\.geojson, .*\.gpkg"):
        write_polygons(make_frame(), tmp_path / "landcover.xyz", legend=LEGEND)


def test_a_geopackage_carries_its_style(tmp_path):
    path = tmp_path / "landcover.gpkg"
    write_polygons(make_frame(), path, legend=LEGEND)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML "
            "FROM layer_styles"
        ).fetchall()
    assert rows == [("landcover", "geom", 1, make_qml(LEGEND))]
    assert pyogrio.list_layers(path).tolist() == [
        ["landcover", "Polygon"],
        ["layer_styles", None],
    ]


def test_other_formats_have_their_style_beside_them(tmp_path):
    write_polygons(make_frame(), tmp_path / "landcover.fgb", legend=LEGEND)
    style = ET.parse(tmp_path / "landcover.qml")  # noqa: S314 - our own
    colours = {
        category.get("value"): style.find(
            f".//symbol[@name='{category.get('symbol')}']//Option[@name='color']"
        ).get("value")
        for category in style.iter("category")
    }
    assert colours == {"0": "0,0,255,255", "1": "0,170,0,255", "2": "204,34,34,255"}
    labels = [category.get("label") for category in style.iter("category")]
    assert labels == ["water", "forest", "built-up"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_path_that_cannot_be_written_is_named(tmp_path, suffix):
    (tmp_path / "a file").touch()
    path = tmp_path / "a file" / f"landcover{suffix}"
    with pytest.raises(DiskError, match="landcover"):
        write_polygons(make_frame(), path, legend=LEGEND)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_that_fails_leaves_the_old_file_as_it_was(
    tmp_path, monkeypatch, suffix
):
    path = tmp_path / f"landcover{suffix}"
    path.write_text("the old file")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(DiskError, match="is full"):
        write_polygons(make_frame(), path, legend=LEGEND)
    assert path.read_text() == "the old file"
    assert list(tmp_path.iterdir()) == [path]
