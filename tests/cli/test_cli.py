"""The command line: bad input, exit statuses, help, what goes to which stream."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from paths import ROOT
from rasterio.transform import from_origin
from shapely import LineString, Point, Polygon, box

import geoseg
from geoseg.cli import COMMANDS, main

REPOSITORY = ROOT
SAMPLE = REPOSITORY / "sample_aoi"
SCENE, AOI = SAMPLE / "scene.tif", SAMPLE / "aoi.geojson"


def geoseg_cli(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refuse(tmp_path, *arguments):
    """Run segment on what must be refused; give its sentence."""
    output = tmp_path / "out"
    result = geoseg_cli("segment", *arguments, "-o", output)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not output.exists(), "bad input writes nothing"
    sentences = result.stderr.strip().splitlines()
    assert len(sentences) == 1, result.stderr
    assert sentences[0].startswith("geoseg: ")
    return sentences[0]


def save(path, geometries, crs="EPSG:4326"):
    geopandas.GeoSeries(geometries, crs=crs).to_file(path)
    return path


@pytest.fixture
def small_scene(tmp_path):
    """Give a corner of the sample, which takes a moment to segment."""
    path = tmp_path / "small.tif"
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window(0, 0, 200, 150)
        profile = {**dataset.profile, "height": 150, "width": 200}
        with rasterio.open(path, "w", **profile) as copy:
            copy.write(dataset.read(window=window))
            copy.descriptions = dataset.descriptions
    return path


@pytest.fixture
def package(tmp_path):
    """Give a copy of the shipped package, to be damaged."""
    source = geoseg.load_package("sentinel2-landcover").path
    return Path(shutil.copytree(source, tmp_path / "package"))


def test_a_missing_scene(tmp_path):
    assert "no.tif does not exist" in refuse(tmp_path, tmp_path / "no.tif")


def test_a_file_that_is_no_raster(tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("hello")
    assert "cannot be opened as a raster" in refuse(tmp_path, path)


def test_a_scene_without_crs(tmp_path, make_raster):
    assert "no coordinate reference system" in refuse(tmp_path, make_raster(crs=None))


def test_a_scene_with_too_few_bands(tmp_path, make_raster):
    sentence = refuse(tmp_path, make_raster())
    assert "B02 (blue)" in sentence, "needed"
    assert "B05" in sentence, "missing"


def test_a_scene_with_bands_that_the_model_does_not_know(tmp_path, make_raster):
    names = [f"temperature {i}" for i in range(10)]
    values = np.ones((10, 37, 53), np.uint16)
    sentence = refuse(tmp_path, make_raster(values=values, bands=names))
    assert "temperature 0" in sentence
    assert "B8A" in sentence


def test_an_aoi_that_does_not_overlap_the_scene(tmp_path):
    aoi = save(tmp_path / "far.geojson", [box(0, 0, 1, 1)])
    sentence = refuse(tmp_path, SCENE, "--aoi", aoi)
    assert "overlap" in sentence
    assert "0, 0, 1, 1" in sentence, "the AOI's extent"
    assert "12.4" in sentence, "the scene's extent in degrees"


@pytest.mark.parametrize(
    "geometry", [Point(12.5, 52.5), LineString([(12, 52), (13, 53)])]
)
def test_an_aoi_without_a_polygon(tmp_path, geometry):
    aoi = save(tmp_path / "points.geojson", [geometry])
    assert "polygon" in refuse(tmp_path, SCENE, "--aoi", aoi)


def test_a_bounding_box_that_is_none(tmp_path):
    sentence = refuse(tmp_path, SCENE, "--bbox", "1,2,3")
    assert "'1,2,3' is neither a file nor" in sentence, "what was typed"
    assert "give one" in refuse(tmp_path, SCENE, "--bbox", "1,2,3,4", "--aoi", AOI)
    utm = refuse(tmp_path, SCENE, "--bbox", "390000,5800000,391000,5801000")
    assert "is not in degrees" in utm


def test_an_aoi_without_features(tmp_path):
    aoi = tmp_path / "empty.geojson"
    aoi.write_text('{"type": "FeatureCollection", "features": []}')
    assert "empty.geojson" in refuse(tmp_path, SCENE, "--aoi", aoi)


def test_an_aoi_that_cannot_be_repaired(tmp_path):
    flat = Polygon([(12.5, 52.4), (12.6, 52.4), (12.5, 52.4)])
    aoi = save(tmp_path / "flat.geojson", [flat])
    assert "flat.geojson" in refuse(tmp_path, SCENE, "--aoi", aoi)


def test_an_aoi_that_is_no_vector_file(tmp_path):
    aoi = tmp_path / "aoi.geojson"
    aoi.write_text("{")
    assert "aoi.geojson" in refuse(tmp_path, SCENE, "--aoi", aoi)
    assert "no.gpkg" in refuse(tmp_path, SCENE, "--aoi", tmp_path / "no.gpkg")


def test_an_unknown_model(tmp_path):
    sentence = refuse(tmp_path, SCENE, "--model", "landcover-9000")
    assert "landcover-9000" in sentence
    assert "sentinel2-landcover" in sentence


@pytest.mark.parametrize("name", ["mlm.json", "config.json", "model.safetensors"])
def test_a_package_with_a_file_missing(tmp_path, package, name):
    (package / name).unlink()
    assert name in refuse(tmp_path, SCENE, "--model", package)


def test_a_package_with_truncated_weights(tmp_path, package):
    weights = package / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "model.safetensors" in refuse(tmp_path, SCENE, "--model", package)


def test_a_package_whose_tensors_have_other_names(tmp_path, package):
    weights = package / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content.replace(b'"decoder.', b'"dec0der.', 1))
    assert "checksum" in refuse(tmp_path, SCENE, "--model", package)
    card = package / "mlm.json"
    card.write_text(card.read_text().replace('"file:checksum"', '"file:note"'))
    refusal = refuse(tmp_path, SCENE, "--model", package)
    assert "does not fit the Unet of config.json" in refusal


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("activation", "softmax", "activation"),  # scores would be squashed twice
        ("encoder_name", 7, "cannot build"),
        ("encoder_depth", "five", "cannot build"),
        ("_model_class", ["Unet"], "geoseg loads"),
    ],
)
def test_a_package_whose_network_cannot_be_built(tmp_path, package, key, value, words):
    path = package / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert words in refuse(tmp_path, SCENE, "--model", package)


def test_a_package_whose_class_counts_disagree(tmp_path, package):
    path = package / "config.json"
    config = json.loads(path.read_text())
    config["classes"] += 1
    path.write_text(json.dumps(config))
    assert "classes" in refuse(tmp_path, SCENE, "--model", package)


def test_weights_that_would_be_unpickled_are_never_opened(tmp_path, package):
    (package / "model.safetensors").rename(package / "pytorch_model.bin")
    assert "model.safetensors" in refuse(tmp_path, SCENE, "--model", package)


def test_an_unknown_vector_format(tmp_path):
    sentence = refuse(tmp_path, SCENE, "--format", "dwg")
    assert "dwg" in sentence
    assert "geojson" in sentence


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--overlap", 33), "nearest that are: 32, 64"),
        (("--tile", 250), "nearest that is: 256"),
        (("--tile", 0), "nearest that is: 32"),
        (("--block", 0), "at least one tile"),
        (("--clip",), "no AOI to clip polygons to"),
        (("--precision", "float16", "--device", "cpu"), "float16 is not for CPUs"),
    ],
)
def test_settings_that_cannot_be(tmp_path, flags, words):
    assert words in refuse(tmp_path, SCENE, *flags)


@pytest.fixture
def building_site(small_scene):
    """Give a scene in a CRS of its own, which is nowhere on Earth."""
    crs = rasterio.crs.CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')
    with rasterio.open(small_scene, "r+") as dataset:
        dataset.crs = crs
    return small_scene


@pytest.mark.parametrize("name", ["geojson", "geojsonl", "pmtiles"])
def test_a_format_in_degrees_for_a_scene_nowhere_on_earth(
    tmp_path, building_site, name
):
    words = refuse(tmp_path, building_site, "--format", "gpkg", "--format", name)
    assert f".{name} needs longitude and latitude" in words
    assert "'site grid' is a local one" in words


def test_tiles_of_a_scene_over_a_pole_are_refused_before_inference(
    tmp_path, small_scene
):
    with rasterio.open(small_scene, "r+") as dataset:
        dataset.crs = rasterio.crs.CRS.from_epsg(3413)
        dataset.transform = rasterio.transform.from_origin(-300, 300, 10, 10)
    words = refuse(tmp_path, small_scene, "--format", "pmtiles")
    assert "Web Mercator, which ends at 85.05 degrees" in words


def test_a_scene_nowhere_on_earth_has_a_map(tmp_path, building_site):
    output = tmp_path / "out"
    result = geoseg_cli("segment", building_site, "-o", output, "--format", "gpkg")
    assert result.exit_code == 0, result.output
    assert (output / "landcover.gpkg").exists()
    assert (output / "preview.png").exists()
    assert not (output / ".geoseg").exists()


def test_a_corrupt_source_block_is_named_and_the_run_resumes_once_mended(tmp_path):
    scene, output = tmp_path / "scene.tif", tmp_path / "out"
    with rasterio.open(SCENE) as dataset:
        profile = {**dataset.profile, "height": 300, "width": 700}
        with rasterio.open(scene, "w", **profile) as copy:
            copy.write(dataset.read(window=rasterio.windows.Window(0, 0, 700, 300)))
            copy.descriptions = dataset.descriptions
    sound = scene.read_bytes()
    command = ("segment", scene, "-o", output, "--block", 1)
    middle = len(sound) // 2
    scene.write_bytes(sound[:middle] + bytes(5000) + sound[middle + 5000 :])
    status = scene.stat()
    failed = geoseg_cli(*command)
    assert failed.exit_code == 1
    (sentence,) = [
        line for line in failed.stderr.splitlines() if line.startswith("geoseg: block")
    ]
    assert re.search(r"block \d \d failed \(rows .*in the scene's CRS\)", sentence)
    assert str(scene) in sentence
    assert "cannot be read" in sentence
    assert "Error(" not in sentence
    assert not (output / "landcover.tif").exists()

    scene.write_bytes(sound)
    os.utime(scene, ns=(status.st_atime_ns, status.st_mtime_ns))
    resumed = geoseg_cli(*command)
    assert resumed.exit_code == 0, resumed.output
    assert "resuming: " in resumed.stderr
    assert (output / "landcover.tif").exists()


def test_an_output_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    result = geoseg_cli("segment", SCENE, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "is a file" in result.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_a_debug_flag_shows_the_traceback(tmp_path):
    result = geoseg_cli("segment", tmp_path / "no.tif", "-o", tmp_path / "o", "--debug")
    assert isinstance(result.exception, geoseg.InputError)


def test_what_geoseg_did_not_foresee_is_one_sentence(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(geoseg, "segment", fail)
    result = geoseg_cli("segment", SCENE, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "did not foresee (ZeroDivisionError: oh)" in result.stderr
    assert "Traceback" not in result.output


def test_an_aoi_that_is_repaired_is_a_warning(tmp_path, small_scene):
    with rasterio.open(small_scene) as dataset:
        left, _, _, top = dataset.bounds
    bow = Polygon(
        [(left, top), (left + 900, top - 900), (left + 900, top), (left, top - 900)]
    )
    aoi = save(tmp_path / "bow.geojson", [bow], crs="EPSG:32633")
    result = geoseg_cli(
        "segment", small_scene, "--aoi", aoi, "-o", tmp_path / "out", "-q"
    )
    assert result.exit_code == 0, result.stderr
    assert "warning" in result.stderr
    assert result.stdout == ""


def test_polygons_are_cut_to_the_outline_of_the_area(tmp_path, small_scene):
    with rasterio.open(small_scene) as dataset:
        left, _, _, top = dataset.bounds
    area = box(left + 103, top - 507, left + 704, top - 208)
    aoi = save(tmp_path / "area.fgb", [area], crs="EPSG:32633")
    flags = ("--aoi", aoi, "--clip", "--format", "fgb", "-q")
    result = geoseg_cli("segment", small_scene, "-o", tmp_path / "out", *flags)
    assert result.exit_code == 0, result.stderr
    frame = geopandas.read_file(tmp_path / "out/landcover.fgb")
    assert frame.union_all().difference(area).area < 1e-6


def test_json_is_one_object_on_standard_output(tmp_path, small_scene):
    output = tmp_path / "out"
    result = geoseg_cli("segment", small_scene, "-o", output, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((output / "run.json").read_text())


def test_the_result_is_a_table_and_the_files(tmp_path, small_scene):
    output = tmp_path / "out"
    result = geoseg_cli("segment", small_scene, "-o", output)
    assert "area (ha)" in result.stdout
    for product in ("landcover.tif", "confidence.tif", "landcover.geojson"):
        assert str(output / product) in result.stdout


def test_a_scene_without_band_names_is_taken_by_order_with_a_warning(
    tmp_path, small_scene
):
    bare = tmp_path / "bare.tif"
    with (
        rasterio.open(small_scene) as dataset,
        rasterio.open(bare, "w", **dataset.profile) as copy,
    ):
        copy.write(dataset.read())
    geoseg_cli("segment", small_scene, "-o", tmp_path / "a", "-q")
    result = geoseg_cli("segment", bare, "-o", tmp_path / "b", "-q")
    assert result.exit_code == 0
    assert "does not name its bands" in result.stderr
    assert (tmp_path / "a/landcover.tif").read_bytes() == (
        tmp_path / "b/landcover.tif"
    ).read_bytes()


def test_a_scene_on_another_scale_is_a_warning(tmp_path, small_scene):
    reflectance = tmp_path / "reflectance.tif"
    with rasterio.open(small_scene) as dataset:
        profile = {**dataset.profile, "dtype": "float32", "predictor": 1}
        with rasterio.open(reflectance, "w", **profile) as copy:
            copy.write(dataset.read().astype(np.float32) / 10_000)
            copy.descriptions = dataset.descriptions
    result = geoseg_cli("segment", reflectance, "-o", tmp_path / "out", "-q")
    assert result.exit_code == 0, result.stderr
    assert (
        "holds float32 of any size, but the model sentinel2-landcover" in result.stderr
    )


def test_a_scene_without_any_data_gives_an_empty_map(tmp_path, make_raster):
    names = [band.name for band in geoseg.load_package("sentinel2-landcover").bands]
    scene = make_raster(
        values=np.zeros((10, 37, 53), np.uint16),
        bands=names,
        transform=from_origin(300_000, 5_900_000, 10, 10),
    )
    result = geoseg_cli("segment", scene, "-o", tmp_path / "out", "-q")
    assert result.exit_code == 0, result.stderr
    assert "warning: the map has no class anywhere" in result.stderr
    with rasterio.open(tmp_path / "out/landcover.tif") as dataset:
        assert (dataset.read(1) == 255).all()
    assert len(geopandas.read_file(tmp_path / "out/landcover.geojson")) == 0


def test_a_finished_run_can_be_repeated_to_the_same_bytes(tmp_path, small_scene):
    for _ in range(2):
        result = geoseg_cli("segment", small_scene, "-o", tmp_path / "out", "-q")
        assert result.exit_code == 0
    other = geoseg_cli("segment", small_scene, "-o", tmp_path / "b", "-q", "--block", 1)
    assert other.exit_code == 0
    for name in ("landcover.tif", "confidence.tif", "landcover.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command):
    result = geoseg_cli(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_models_are_listed_and_shown():
    assert "sentinel2-landcover" in geoseg_cli("models", "list").stdout
    shown = geoseg_cli("models", "show", "sentinel2-landcover").stdout
    for band in geoseg.load_package("sentinel2-landcover").bands:
        assert band.name in shown


def test_an_unknown_command_is_a_usage_error():
    assert geoseg_cli("sgement").exit_code == 2


@pytest.mark.parametrize("start", ["import geoseg", "import geoseg.cli"])
def test_starting_imports_nothing_heavy(start):
    heavy = (
        "{'torch', 'numpy', 'rasterio', 'dask', 'distributed', 'matplotlib', 'rich'}"
    )
    code = f"{start}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_gdal_mutters_does_not_reach_a_user():
    code = (
        "from geoseg.cli import main; main(['models', 'list'], standalone_mode=False); "
        "import logging; logging.getLogger('rasterio._env').error('muttered')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
