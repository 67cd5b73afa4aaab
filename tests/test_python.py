"""What Python takes for an area and for formats, and the files that a map becomes."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner
from corner import write_corner
from pyproj import CRS, Transformer

import geoseg
from geoseg.cli import main
from geoseg.errors import AoiError
from geoseg.geo.geobox import GeoBox
from geoseg.overlay.aoi import read_aoi

SHIPPED = "sentinel2-landcover"
QUICK = geoseg.SegmentOptions(tile=64, overlap=32, device="cpu", formats="none")
PLANE = GeoBox(90, 80, Affine(10, 0, 400_000, 0, -10, 5_800_000), CRS.from_epsg(32633))
SQUARE = shapely.box(400_105, 5_799_405, 400_405, 5_799_905)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give a corner of the sample."""
    return write_corner(tmp_path_factory.mktemp("small"), 70, 90)


@pytest.fixture(scope="module")
def mapped(small, tmp_path_factory):
    """Give a folder with a map without polygons: never changed by a test."""
    folder = tmp_path_factory.mktemp("mapped")
    geoseg.segment(small, folder, options=QUICK)
    return folder


def in_lonlat(shape):
    move = Transformer.from_crs(32633, 4326, always_xy=True).transform
    return shapely.transform(shape, move, interleaved=False)


@pytest.mark.parametrize(
    "area",
    [
        geopandas.GeoDataFrame({"a": [1]}, geometry=[SQUARE], crs=32633),
        geopandas.GeoSeries([SQUARE, SQUARE], crs=32633),
        geopandas.GeoSeries([SQUARE], crs=32633).to_crs(3035),
        in_lonlat(SQUARE),
        shapely.MultiPolygon([in_lonlat(SQUARE)]),
    ],
    ids=["frame", "series", "another CRS", "polygon", "multipolygon"],
)
def test_shapes_are_an_area_as_a_file_with_them_is(area):
    found = read_aoi(area, PLANE)
    rows, cols = np.mgrid[:90, :80]
    xs, ys = 400_005 + 10 * cols, 5_799_995 - 10 * rows
    within = shapely.contains_xy(SQUARE.buffer(-1), xs, ys)  # centres off its edges
    near = shapely.contains_xy(SQUARE.buffer(1), xs, ys)
    window = found.window.slices()
    mask = np.zeros((90, 80), bool)
    mask[window] = found.mask(found.window)
    assert (mask >= within).all()
    assert (mask <= near).all()
    assert mask.sum() >= 29 * 49


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ([SQUARE], "aoi is a list of 1 shape; give a path"),
        ((1, 2, 3, 4), "aoi is a tuple of 4 shapes; give a path"),
        (7, "aoi is a int; give a path"),
        (geopandas.GeoSeries([SQUARE]), "aoi is a GeoSeries of 1 shape without a CRS"),
        (geopandas.GeoDataFrame({"a": [1]}), "without geometries"),
    ],
)
def test_what_is_no_area_is_refused_by_the_name_of_the_parameter(area, words):
    with pytest.raises(AoiError, match=words):
        read_aoi(area, PLANE)


def test_a_map_of_a_frame_is_that_of_its_file_and_names_it(small, tmp_path):
    with rasterio.open(small) as dataset:
        left, _, _, top = dataset.bounds
        crs = dataset.crs
    areas = [shapely.box(left + 95, top - 405, left + 505, top - 95)]
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=areas, crs=crs)
    frame.to_file(tmp_path / "area.gpkg")
    one = geoseg.segment(small, tmp_path / "one", aoi=frame, options=QUICK)
    geoseg.segment(small, tmp_path / "two", aoi=tmp_path / "area.gpkg", options=QUICK)
    first, second = (tmp_path / name / "landcover.tif" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert one.aoi == {"given": "a GeoDataFrame of 1 shape"}
    each = geoseg.segment_features(
        small, tmp_path / "each", aoi=frame, field="name", options=QUICK
    )
    assert list(each) == ["a"]


def test_a_format_may_be_a_single_string_and_none_leaves_polygons_out(mapped):
    assert geoseg.SegmentOptions(formats="gpkg").vector_formats == ("gpkg",)
    assert geoseg.SegmentOptions(formats=["gpkg", "fgb"]).vector_formats == (
        *("gpkg", "fgb"),
    )
    names = {path.name for path in mapped.iterdir()}
    products = {"landcover.tif", "landcover.qml", "preview.png", "report.html"}
    assert products | {"run.json"} <= names
    assert not any(name.endswith((".geojson", ".gpkg")) for name in names)


def test_the_command_line_leaves_polygons_out_too(small, tmp_path):
    flags = ("--format", "none", "--tile", "64", "--overlap", "32", "-q")
    command = ["segment", str(small), "-o", str(tmp_path / "out"), *flags]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert not list((tmp_path / "out").glob("*.geojson"))


def test_a_page_of_no_megabytes_is_left_out(small, tmp_path):
    options = replace(QUICK, report_size=0)
    report = geoseg.segment(small, tmp_path / "out", options=options)
    assert "page" not in report.products
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_format_that_is_none_names_those_that_are(small, tmp_path):
    options = geoseg.SegmentOptions(formats="dxf")
    with pytest.raises(geoseg.InputError, match="unknown vector format: dxf; those"):
        geoseg.segment(small, tmp_path / "out", options=options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda _, o: geoseg.segment(5, o),
            "`scene` of geoseg.segment is of the type int; give a path, ",
        ),
        (lambda s, o: geoseg.segment([s, None], o), "scene is None; give paths"),
        (
            lambda s, o: geoseg.segment(s, o, options=geoseg.SegmentOptions(formats=5)),
            "`formats` of geoseg.SegmentOptions is of the type int; give a text or a l",
        ),
        (
            lambda s, _: geoseg.info(s, aoi=5),
            "`aoi` of geoseg.info is of the type int; give a path, a GeoDataFrame",
        ),
        (
            lambda s, o: geoseg.segment(
                s, o, options=geoseg.SegmentOptions(mask_model=SHIPPED, mask_classes=5)
            ),
            "`mask_classes` of geoseg.SegmentOptions is of the type int; give a text",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_by_the_name_of_the_parameter(
    small, tmp_path, call, words
):
    with pytest.raises(geoseg.GeosegError, match=words):
        call(small, tmp_path / "out")


def test_a_class_may_be_a_single_string(mapped, tmp_path):
    options = geoseg.PolygonOptions(classes="water")
    drawn = geoseg.vectorize(
        mapped / "landcover.tif", tmp_path / "water.gpkg", options=options
    )
    assert {each.name for each in drawn.classes} <= {"water"}
    assert len(drawn) == len(drawn.read())


def test_one_style_has_the_classes_alone_for_raster_and_polygons(mapped):
    style = ET.parse(mapped / "landcover.qml").getroot()  # noqa: S314  # our own
    assert style.tag == "qgis"
    renderer = style.find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted"
    assert renderer.get("band") == "1"
    entries = {
        int(entry.get("value")): (entry.get("label"), entry.get("color"))
        for entry in renderer.iterfind("colorPalette/paletteEntry")
    }
    legend = geoseg.load_package("sentinel2-landcover").legend
    assert entries == {c.id: (c.name, c.colour) for c in legend}
    values = [c.get("value") for c in style.iterfind("renderer-v2/categories/category")]
    assert sorted(entries) == sorted(map(int, values))


def test_every_format_comes_with_the_rasters_style(small, tmp_path):
    options = geoseg.SegmentOptions(
        tile=64, overlap=32, formats=("gpkg", "fgb"), device="cpu"
    )
    geoseg.segment(small, tmp_path, options=options)
    text = (tmp_path / "landcover.qml").read_text()
    assert "paletted" in text
    with closing(sqlite3.connect(tmp_path / "landcover.gpkg")) as database:
        ((inside,),) = database.execute("SELECT styleQML FROM layer_styles").fetchall()
    assert text.startswith(inside)
    sums = json.loads((tmp_path / "run.json").read_text())["checksums"]
    assert "landcover.qml" in sums


def test_a_finished_run_says_so_and_computes_nothing(small, mapped, no_more_inference):
    no_more_inference()
    notes = []
    geoseg.segment(
        small, mapped, options=QUICK, on_step=lambda step: notes.append(step.note)
    )
    assert any("holds this map already" in note for note in notes)


def test_a_box_is_reported_as_it_was_written():
    with pytest.raises(AoiError) as caught:
        read_aoi("EPSG:4326;1,2,3,4", PLANE)
    assert "box 1,2,3,4 does not overlap" in str(caught.value)
