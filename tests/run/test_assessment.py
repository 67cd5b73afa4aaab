"""What a sample of the ground says of a map stands on the map's page."""

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from corner import write_corner

import geoseg
from geoseg.cli import main

TILES = ("--tile", "64", "--overlap", "32")


def call(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a scene, its map, and what a sample of 200 says of it."""
    folder = tmp_path_factory.mktemp("assessed")
    scene = write_corner(folder, 70, 90)
    assert call("segment", scene, "-o", folder / "map", *TILES).exit_code == 0
    with rasterio.open(folder / "map" / "landcover.tif") as dataset:
        classes, transform, crs = dataset.read(1), dataset.transform, dataset.crs
    legend = geoseg.load_package("sentinel2-landcover").legend
    noise = np.random.default_rng(3)
    rows, cols = (noise.integers(0, n, 400) for n in classes.shape)
    names = [
        legend.by_id(int(i if noise.random() < 0.8 else noise.choice(legend.ids))).name
        for i in classes[rows, cols]
    ]
    x, y = transform @ (cols + 0.5, rows + 0.5)
    points = gpd.points_from_xy(x, y, crs=crs)
    path = folder / "points.gpkg"
    gpd.GeoDataFrame({"reference": names}, geometry=points).to_file(path)
    sample = ("--reference", path, "--stratified", "-o", folder / "found", "--json")
    assert call("evaluate", folder / "map", *sample).exit_code == 0
    return folder, scene


def test_page_item_and_report_say_it_and_the_map_stays(folder):
    folder, scene = folder
    out, found = folder / "map", folder / "found" / "accuracy.json"
    kept = ("landcover.tif", "landcover.geojson", "preview.png", "confidence.tif")
    before = {name: (out / name).read_bytes() for name in kept}
    plain = (out / "report.html").read_bytes()
    done = call("segment", scene, "-o", out, *TILES, "--assessment", found)
    assert done.exit_code == 0, done.output
    assert "a sample says (ha)" in done.output
    assert {name: (out / name).read_bytes() for name in kept} == before
    rows = json.loads(found.read_text())["stratified"]["classes"]
    report = json.loads((out / "run.json").read_text())
    item = json.loads((out / "landcover.stac.json").read_text())
    assert report["assessment"] == item["properties"]["geoseg:areas"]
    page = (out / "report.html").read_text(encoding="utf-8")
    for row in rows:
        low, high = row["area_ha_interval"]
        said = report["assessment"]["classes"][row["name"]]
        assert said == {"estimate": row["area_ha"], "low": low, "high": high}
        if row["mapped_pixels"]:
            assert f"{low:,.2f}" in page
    again = call("segment", scene, "-o", out, *TILES, "--assessment", found)
    assert "nothing was computed" in again.output
    assert call("segment", scene, "-o", out, *TILES).exit_code == 0
    assert (out / "report.html").read_bytes() == plain


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda found: found.pop("stratified"), "holds no estimates of areas"),
        (
            lambda found: found["stratified"]["classes"][0].update(name="sand"),
            "cropland of the map and sand of the assessment are left over",
        ),
        (
            lambda found: found["stratified"]["classes"][0].update(mapped_pixels=7),
            "assesses another map (7 pixels are cropland there",
        ),
    ],
)
def test_an_assessment_of_something_else_is_refused(folder, tmp_path, change, sentence):
    folder, scene = folder
    found = json.loads((folder / "found" / "accuracy.json").read_text())
    change(found)
    other = tmp_path / "accuracy.json"
    other.write_text(json.dumps(found))
    before = (folder / "map" / "run.json").read_bytes()
    command = ("segment", scene, "-o", folder / "map", *TILES, "--assessment", other)
    done = call(*command)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert (folder / "map" / "run.json").read_bytes() == before
    other.unlink()
    assert "cannot be read" in call(*command).stderr


def test_a_new_map_says_that_an_assessment_is_of_another(folder, tmp_path):
    folder, scene = folder
    given = ("--assessment", folder / "found" / "accuracy.json", "--format", "none")
    with rasterio.open(scene) as dataset:
        left, bottom, right, top = dataset.bounds
        crs = dataset.crs.to_string()
    middle = (left + right) / 2
    box = ("--bbox", f"{left},{bottom},{middle},{top}", "--bbox-crs", crs)
    done = call("segment", scene, "-o", tmp_path, *TILES, *box, *given)
    assert done.exit_code == 0
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["assessment"] is None
    assert any("assesses another map" in each for each in report["warnings"])
