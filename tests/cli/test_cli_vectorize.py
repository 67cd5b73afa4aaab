"""geoseg vectorize: what it refuses, and that nothing is left when it does."""

import json
import threading

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.features
from affine import Affine
from click.testing import CliRunner
from geopandas.testing import assert_geodataframe_equal
from rasterio.errors import NotGeoreferencedWarning
from shapely import box

import geoseg
from geoseg.cli import main
from geoseg.geo.legend import plain_legend
from geoseg.raster import ClassMap
from geoseg.vectorize.polygons import polygons

MAP = np.array(
    [[[1, 1, 1, 2, 2], [1, 3, 1, 2, 2], [1, 1, 1, 2, 255], [1, 1, 2, 2, 255]]], np.uint8
)


@pytest.fixture
def class_map(make_raster):
    return make_raster("map.tif", values=MAP, nodata=255)


def vectorize(*arguments):
    return CliRunner().invoke(main, ["vectorize", *map(str, arguments)])


def refuse(tmp_path, raster, *flags, name="polygons.gpkg"):
    before = {path.name for path in tmp_path.iterdir()}
    result = vectorize(raster, "-o", tmp_path / name, *flags)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.strip().splitlines()
    assert {path.name for path in tmp_path.iterdir()} == before, (
        "nothing is left behind"
    )
    return sentence


def test_polygons_are_written_and_counted(tmp_path, class_map):
    output = tmp_path / "polygons.gpkg"
    result = vectorize(class_map, "-o", output, "--json")
    assert result.exit_code == 0, result.stderr
    frame = geopandas.read_file(output, layer="polygons")
    assert sorted(frame.pixel_count) == [1, 7, 10]
    counted = json.loads(result.stdout)
    assert sum(row["polygons"] for row in counted["classes"]) == 3
    hectares = sum(row["area_ha"] for row in counted["classes"])
    assert hectares == pytest.approx(0.36, rel=1e-3)


def test_small_patches_go_to_their_neighbour(tmp_path, class_map):
    output = tmp_path / "polygons.geojson"
    result = vectorize(class_map, "-o", output, "--min-area", "400m2")
    assert result.exit_code == 0, result.stderr
    assert sorted(geopandas.read_file(output).pixel_count) == [7, 11]
    assert "class 3" not in output.read_text()


def test_chosen_classes_are_drawn_alone(tmp_path, class_map):
    output = tmp_path / "polygons.fgb"
    assert vectorize(class_map, "-o", output, "--classes", "class 2").exit_code == 0
    assert set(geopandas.read_file(output).class_name) == {"class 2"}


def test_the_raster_with_small_patches_merged_agrees_with_the_polygons(
    tmp_path, class_map
):
    output, raster = tmp_path / "polygons.gpkg", tmp_path / "new" / "merged.tif"
    flags = ("--min-area", "2px", "--write-raster", raster)
    assert vectorize(class_map, "-o", output, *flags).exit_code == 0
    with rasterio.open(raster) as merged, rasterio.open(class_map) as before:
        values = merged.read(1)
        assert (values != before.read(1)).sum() == 1, "the one patch of one pixel"
        frame = geopandas.read_file(output, layer="polygons")
        shapes = zip(frame.geometry, frame.class_id, strict=True)
        plane = {"out_shape": merged.shape, "transform": merged.transform}
        drawn = rasterio.features.rasterize(shapes, fill=255, dtype="uint8", **plane)
    assert np.array_equal(drawn, values)
    assert [path.name for path in raster.parent.iterdir()] == [
        "merged.tif",
        "merged.tif.aux.xml",
    ]


def test_polygons_are_cut_to_an_exact_outline(tmp_path, class_map):
    with rasterio.open(class_map) as dataset:
        left, bottom, _, top = dataset.bounds
    area = box(left + 3, bottom + 7, left + 26, top - 1)
    aoi = tmp_path / "area.gpkg"
    geopandas.GeoSeries([area], crs="EPSG:32633").to_file(aoi)
    output = tmp_path / "polygons.fgb"
    assert vectorize(class_map, "-o", output, "--clip", aoi).exit_code == 0
    frame = geopandas.read_file(output)
    assert frame.area_m2.sum() == pytest.approx(area.area, rel=1e-2)
    assert frame.union_all().symmetric_difference(area).area < 1e-6


def test_an_empty_map_gives_an_empty_file_with_the_columns(tmp_path, make_raster):
    raster = make_raster(
        "map.tif", values=np.full((1, 4, 5), 255, np.uint8), nodata=255
    )
    output = tmp_path / "polygons.gpkg"
    result = vectorize(raster, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert "warning: the map has no class anywhere" in result.stderr
    frame = geopandas.read_file(output, layer="polygons")
    assert len(frame) == 0
    assert {"class_id", "class_name", "area_m2"} <= set(frame.columns)


def test_a_raster_that_is_no_class_map(tmp_path, make_raster):
    raster = make_raster(values=np.full((1, 4, 5), 0.5, np.float32))
    assert "not whole numbers" in refuse(tmp_path, raster)


def test_a_raster_of_several_bands(tmp_path, make_raster):
    assert "--band 1 to 3" in refuse(tmp_path, make_raster())


def test_a_raster_without_crs(tmp_path, make_raster):
    raster = make_raster("map.tif", values=MAP, crs=None)
    sentence = refuse(tmp_path, raster)
    assert f"assign one, for instance: rio edit-info --crs EPSG:32633 {raster}" in (
        sentence
    )


def test_a_raster_that_lies_nowhere(tmp_path, make_raster):
    with pytest.warns(NotGeoreferencedWarning):
        raster = make_raster("map.tif", values=MAP, transform=Affine.identity())
    assert "no geotransform" in refuse(tmp_path, raster)


def test_threads_trace_the_blocks_of_a_map_to_what_one_thread_draws(
    tmp_path, make_raster, monkeypatch
):
    values = np.random.default_rng(0).integers(1, 4, (1, 9, 4200), np.uint8)
    raster = make_raster("map.tif", values=values, nodata=255)
    threads, read = set(), ClassMap.read

    def noted(self, window):
        threads.add(threading.current_thread())
        return read(self, window)

    monkeypatch.setattr(ClassMap, "read", noted)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    drawn = geoseg.vectorize(raster, tmp_path / "polygons.gpkg").read()
    assert threads - {threading.main_thread()}
    class_map = ClassMap.open(raster)
    legend = plain_legend(class_map.counts())
    assert_geodataframe_equal(drawn, polygons(class_map, legend=legend))


def test_a_missing_raster(tmp_path):
    assert "no.tif does not exist" in refuse(tmp_path, tmp_path / "no.tif")


def test_an_unknown_class(tmp_path, class_map):
    sentence = refuse(tmp_path, class_map, "--classes", "clas 2")
    assert "no class is named 'clas 2'" in sentence
    assert "did you mean class 2?" in sentence


def test_an_unknown_suffix(tmp_path, class_map):
    sentence = refuse(tmp_path, class_map, name="polygons.dwg")
    assert ".gpkg" in sentence
    assert "polygons.dwg" in sentence


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--min-area", "3 acres"), "'3 acres' is no area"),
        (("--min-area", "15m"), "'15m' is no area"),
        (("--simplify", "2ha"), "'2ha' is no length"),
        (("--simplify", "much"), "'much' is no length"),
        (("--smooth", "9"), "0 to 4 times"),
    ],
)
def test_units_and_numbers_that_make_no_sense(tmp_path, class_map, flags, words):
    assert words in refuse(tmp_path, class_map, *flags)
