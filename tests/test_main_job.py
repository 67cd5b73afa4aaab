"""The main job, end to end on the real sample, as the README's command runs it."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from jsonschema import Draft202012Validator
from PIL import Image
from rasterio.features import geometry_mask
from rio_cogeo.cogeo import cog_validate

import geoseg
from geoseg.geo.splits import Split
from geoseg.overlay.labels import rasterize_labels, read_labels
from geoseg.scene import open_scene

SAMPLE = Path(__file__).parent.parent / "sample_aoi"
SCENE, AOI = SAMPLE / "scene.tif", SAMPLE / "aoi.geojson"
NODATA = 255


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Give the main job's output: of a run that was made before, or of one made now."""
    if made := os.environ.get("GEOSEG_MAIN_JOB_OUTPUT"):
        return Path(made)
    output = tmp_path_factory.mktemp("main") / "out"
    command = [
        sys.executable,
        "-m",
        "geoseg",
        "segment",
        SCENE,
        "--aoi",
        AOI,
        "-o",
        output,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return output


@pytest.fixture(scope="module")
def package():
    return geoseg.load_package("sentinel2-landcover")


@pytest.fixture(scope="module")
def land_cover(out):
    with rasterio.open(out / "landcover.tif") as dataset:
        return dataset.read(1)


@pytest.fixture(scope="module")
def polygons(out):
    return geopandas.read_file(out / "landcover.geojson")


def test_the_products_are_there_and_nothing_else(out):
    assert {path.name for path in out.iterdir()} == {
        "landcover.tif",
        "landcover.tif.aux.xml",
        "confidence.tif",
        "landcover.geojson",
        "landcover.qml",
        "preview.png",
        "landcover.stac.json",
        "report.html",
        "run.json",
    }


@pytest.mark.parametrize("name", ["landcover.tif", "confidence.tif"])
def test_rasters_are_cloud_optimized_on_the_scenes_pixels(out, name):
    valid, errors, warnings = cog_validate(out / name, strict=True)
    assert valid, (errors, warnings)
    with rasterio.open(out / name) as dataset, rasterio.open(SCENE) as scene:
        assert dataset.dtypes == ("uint8",)
        assert dataset.nodata == NODATA
        assert dataset.crs == scene.crs
        col, row = ~scene.transform @ (dataset.transform.c, dataset.transform.f)
        assert (col, row) == (round(col), round(row))
        expected = rasterio.windows.transform(
            rasterio.windows.Window(col, row, 1, 1), scene.transform
        )
        assert dataset.transform == expected
        assert dataset.compression.name in {"deflate", "zstd"}
        assert dataset.tags()["GEOSEG_VERSION"]
        assert dataset.tags()["GEOSEG_MODEL"].startswith("sentinel2-landcover")


def test_the_map_has_the_classes_names_and_colours(out, package):
    with rasterio.open(out / "landcover.tif") as dataset:
        colours = dataset.colormap(1)
    for land_class in package.legend:
        assert colours[land_class.id][:3] == land_class.rgb
    sidecar = ET.parse(out / "landcover.tif.aux.xml")  # noqa: S314  # our own file
    names = [node.text or "" for node in sidecar.iter("Category")]
    for land_class in package.legend:
        assert names[land_class.id] == land_class.name


def test_overviews_hold_only_classes_of_the_map(out, land_cover):
    with rasterio.open(out / "landcover.tif") as dataset:
        factors = dataset.overviews(1)
        assert factors
        for factor in factors:
            shape = (dataset.height // factor, dataset.width // factor)
            small = dataset.read(1, out_shape=shape)
            assert set(np.unique(small)) <= set(np.unique(land_cover))


def test_the_map_covers_the_area_of_interest_and_no_more(out, land_cover):
    with rasterio.open(out / "landcover.tif") as dataset:
        aoi = geopandas.read_file(AOI).to_crs(dataset.crs)
        plane = {"out_shape": dataset.shape, "transform": dataset.transform}
        centre = geometry_mask(aoi.geometry, **plane, invert=True)
        edge = geometry_mask(aoi.boundary, **plane, invert=True, all_touched=True)
    assert ((land_cover != NODATA) == centre)[~edge].all()
    assert 0.2 < centre.mean() < 0.9, "the sample's AOI leaves something out"
    with rasterio.open(out / "confidence.tif") as dataset:
        confidence = dataset.read(1)
    assert ((confidence == NODATA) == (land_cover == NODATA)).all()
    assert confidence[land_cover != NODATA].max() <= 100


def test_polygons_are_the_raster(out, land_cover, polygons, package):
    assert polygons.crs.to_epsg() == 4326
    assert polygons.is_valid.all()
    assert set(polygons.columns) >= {
        "class_id",
        "class_name",
        "area_m2",
        "mean_confidence",
    }
    for land_class in package.legend:
        mine = polygons[polygons.class_id == land_class.id]
        assert set(mine.class_name) <= {land_class.name}
        covered = 100 * (land_cover == land_class.id).sum()
        assert mine.area_m2.sum() == pytest.approx(covered, rel=1e-3)
    assert polygons.mean_confidence.between(0, 100).all()
    with rasterio.open(out / "landcover.tif") as dataset:
        back = rasterio.features.rasterize(
            zip(polygons.to_crs(dataset.crs).geometry, polygons.class_id, strict=True),
            out_shape=dataset.shape,
            transform=dataset.transform,
            fill=NODATA,
            dtype="uint8",
        )
    assert np.array_equal(back, land_cover)


def test_geojson_is_as_the_rfc_asks(out):
    collection = json.loads((out / "landcover.geojson").read_text())
    assert "crs" not in collection
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        geometry = feature["geometry"]
        assert geometry["type"] == "Polygon"
        for index, ring in enumerate(geometry["coordinates"]):
            assert ring[0] == ring[-1]
            points = np.array(ring)
            x, y = (points - points[0]).T
            twice_area = (x[:-1] * y[1:] - x[1:] * y[:-1]).sum()
            assert (twice_area > 0) == (index == 0), "the right-hand rule"


def test_the_report_says_what_came_out(out, land_cover, package):
    report = json.loads((out / "run.json").read_text())
    for area in report["class_areas"]:
        pixels = int((land_cover == area["id"]).sum())
        assert area["pixels"] == pixels
        assert area["area_ha"] == pytest.approx(pixels / 100, rel=1e-3)
    assert report["nodata_pixels"] == (land_cover == NODATA).sum()
    assert report["models"][0]["fingerprint"] == package.fingerprint
    assert report["tiles"]["inferred"] > 0
    assert report["tiles"]["outside"] > 0
    assert set(report["timings_s"]) >= {"infer", "vectorize"}
    assert Path(report["products"]["landcover"]).name == "landcover.tif"


def test_the_preview_is_a_picture_in_the_classes_colours(out, land_cover, package):
    with Image.open(out / "preview.png") as picture:
        assert min(picture.size) > 500
        pixels = np.array(picture.convert("RGB")).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    seen = {tuple(c): n for c, n in zip(colours.tolist(), counts.tolist(), strict=True)}
    for land_class in package.legend:
        if (land_cover == land_class.id).mean() > 0.01:
            assert seen.get(land_class.rgb, 0) > 1000, land_class.name


def test_the_map_beats_the_majority_class_on_held_out_blocks(tmp_path, package):
    output = tmp_path / "whole"
    geoseg.segment(SCENE, output)
    scene = open_scene(SCENE)
    reference = rasterize_labels(
        read_labels(SAMPLE / "labels.gpkg"), scene.geobox, package.legend
    )
    held_out = Split(scene.geobox.height, scene.geobox.width, fold=0).test_area()
    counted = held_out & (reference != NODATA)
    with rasterio.open(output / "landcover.tif") as dataset:
        predicted = dataset.read(1)[counted]
    truth = reference[counted]
    accuracy = (predicted == truth).mean()
    majority = np.bincount(truth).max() / truth.size
    assert accuracy > majority + 0.15


def test_every_vector_format_holds_the_same_polygons(tmp_path, polygons):
    options = geoseg.SegmentOptions(formats=("geojson", "gpkg", "fgb", "parquet"))
    geoseg.segment(SCENE, tmp_path, aoi=AOI, options=options)
    columns = ["class_id", "class_name", "pixel_count"]
    expected = polygons[columns].sort_values(columns).to_numpy().tolist()
    for suffix in ("geojson", "gpkg", "fgb", "parquet"):
        path = tmp_path / f"landcover.{suffix}"
        if suffix == "parquet":
            frame = geopandas.read_parquet(path)
        else:
            frame = geopandas.read_file(path, layer="landcover")
        assert frame[columns].sort_values(columns).to_numpy().tolist() == expected
        assert frame.is_valid.all()


def test_the_record_is_as_its_schema_says(out):
    schema = SAMPLE.parent / "docs" / "reference" / "run.schema.json"
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    validator.validate(record)
    assert set(record) <= set(validator.schema["properties"])
    record["class_areas"][0]["share"] = 1.5
    assert not validator.is_valid(record)
