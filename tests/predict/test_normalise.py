"""Models normalised by the scene's own statistics: measured whole, once, in any way."""

import gc
import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner
from members import cut_members
from paths import ROOT
from rasterio.shutil import copy
from tiny_models import SHALLOW, build, save

import geoseg
from geoseg.cli import main
from geoseg.errors import SceneError
from geoseg.models.package.card import InputBand
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.loaded_model import LoadedModel
from geoseg.scene import Scene, SceneOptions, open_scene
from geoseg.scene import statistics as room
from geoseg.scene.histograms import Tally
from geoseg.scene.statistics import find_kept, measure

SAMPLE = ROOT / "sample_aoi" / "scene.tif"
NAMES = ("B02", "B03", "B04")
KINDS = {"own": None, "stretched": (2.0, 98.0)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep statistics in a folder of the test's own."""
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Give a package of each kind, by its name."""
    folder, network = (
        tmp_path_factory.mktemp("models"),
        build("Unet", "resnet18", SHALLOW, bands=3),
    )
    return {
        kind: save(
            folder / kind,
            network,
            bands=[InputBand(n, "", *_figures(percentiles)) for n in NAMES],
            normalise="scene",
            percentiles=percentiles,
            scale=1.0,
            gsd_m=10.0,
            overlap=16,
        )
        for kind, percentiles in KINDS.items()
    }


def _figures(percentiles):
    return (0.0, 1.0) if percentiles is None else (0.5, 0.25)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give three bands of a corner of the sample, with a hole."""
    path = tmp_path_factory.mktemp("small") / "small.tif"
    with rasterio.open(SAMPLE) as dataset:
        window = rasterio.windows.Window(0, 0, 170, 150)
        pixels = dataset.read([1, 2, 3], window=window)
        profile = {**dataset.profile, "height": 150, "width": 170, "count": 3}
    pixels[:, 20:50, 30:70] = 0
    with rasterio.open(path, "w", **profile) as copy:
        copy.write(pixels)
        copy.descriptions = NAMES
    return path


def segment(*words):
    flags = ["--tile", "64", "--overlap", "16", "--block", "1"]
    return CliRunner().invoke(main, ["segment", *map(str, words), *flags])


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def values_of(path):
    """Give the valid pixels of all bands, shape (band, pixel), float64."""
    with rasterio.open(path) as dataset:
        pixels = dataset.read()
    return pixels[:, (pixels > 0).all(axis=0)].astype(np.float64)


def box_of(path, rows, cols):
    """Write pixels of a raster as a bounding box that holds no others."""
    with rasterio.open(path) as dataset:
        left, top = dataset.transform @ (cols[0], rows[0])
        right, bottom = dataset.transform @ (cols[1], rows[1])
    return f"EPSG:32633;{left + 1},{bottom + 1},{right - 1},{top - 1}"


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_are_normalised_as_numpy_would(models, small, kind):
    package = models[kind]
    pixels = (
        np.random.default_rng(0).integers(500, 3000, (1, 3, 8, 9)).astype(np.float32)
    )
    seen = values_of(small)
    if package.percentiles is None:
        first, second = np.array([seen.mean(axis=1), seen.std(axis=1)])
        expected = (pixels - first[:, None, None]) / second[:, None, None]
    else:
        first, second = np.percentile(seen, KINDS[kind], axis=1)
        low, high = first[:, None, None], second[:, None, None]
        expected = (((pixels - low) / (high - low)).clip(0, 1) - 0.5) / 0.25
        assert {-2, 2} <= set(expected.ravel().tolist()), "some must be clipped"
    measured = tuple(zip(first.tolist(), second.tolist(), strict=True))
    member = LoadedModel(package, (0, 1, 2), measured)
    normal = member.normalise(torch.from_numpy(pixels), None).numpy()
    assert normal == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_of_an_area_is_the_crop_of_the_map_of_the_scene(
    models, small, tmp_path, cache, kind
):
    model = models[kind].path
    done = segment(small, "-o", tmp_path / "whole", "--model", model)
    assert done.exit_code == 0, done.output
    whole = read(tmp_path / "whole" / "landcover.tif")
    assert len(np.unique(whole)) > 2, "a map of one class would show nothing"
    aoi = box_of(small, (60, 97), (31, 84))
    bounds = aoi.partition(";")[2]
    flags = ("--aoi", aoi) if kind == "own" else ("--bounds", bounds)
    for file in (cache / "statistics").iterdir():
        file.unlink()
    part = segment(small, "-o", tmp_path / "part", "--model", model, *flags)
    assert part.exit_code == 0, part.output
    assert f"up to {small.stat().st_size:,} bytes" in part.stderr
    assert "though the area is 7.7% of it" in part.stderr
    for product in ("landcover", "confidence"):
        cut = read(tmp_path / "part" / f"{product}.tif")
        known = read(tmp_path / "whole" / f"{product}.tif")
        assert np.array_equal(cut, known[60:97, 31:84])


def test_a_report_says_the_figures_and_a_resume_compares_them(models, small, tmp_path):
    model, output = models["stretched"], tmp_path / "out"

    def stop(step):
        if step.name == "infer" and step.done:
            raise KeyboardInterrupt

    options = geoseg.SegmentOptions(
        model=model.path, tile=64, overlap=16, block=1, formats=("geojson",)
    )
    with pytest.raises(KeyboardInterrupt):
        geoseg.segment(small, output, options=options, on_step=stop)
    report = geoseg.segment(small, output, options=options)
    low, high = np.percentile(values_of(small), (2, 98), axis=1)
    expected = {
        name: {"percentile 2": low[index], "percentile 98": high[index]}
        for index, name in enumerate(NAMES)
    }
    record = json.loads((output / "run.json").read_text())
    assert record["models"][0]["statistics"] == expected
    assert repr(float(low[2])) in report.identity["statistics"]
    whole = geoseg.segment(small, tmp_path / "whole", options=options)
    assert whole.identity == report.identity
    maps = [Path(each.products["landcover"]).read_bytes() for each in (report, whole)]
    assert maps[0] == maps[1]


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    return cut_members(tmp_path_factory.mktemp("eight") / "members", rows=2, cols=4)


WAYS = {
    "as it is": {},
    "warped": {"crs": "EPSG:3035", "resolution": 12.0},
    "any": {"valid": "any"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("unit", [None, 0.001])
def test_however_a_scene_is_read_its_statistics_are_the_same(
    members, monkeypatch, cache, way, unit
):
    scene = open_scene(members, SceneOptions(**WAYS[way]))
    scene = scene if unit is None else scene.in_unit(unit)
    found = measure(scene, (2, 0), (2, 50))
    pixels, valid = scene.read(scene.window, (2, 0))
    for band, values in zip(found, pixels, strict=True):
        seen = values[valid].astype(np.float64)
        assert band.pixels == valid.sum()
        assert (band.smallest, band.largest) == (seen.min(), seen.max())
        assert (band.mean, band.std) == pytest.approx((seen.mean(), seen.std()))
        marks = np.percentile(seen, (2, 50))
        assert band.percentiles == pytest.approx(tuple(marks), rel=1 / 32_768)
    for rows, cols, threads in ((512, 31, 1), (7, 2048, 3), (53, 97, 8)):
        monkeypatch.setattr(room, "_ROWS", rows)
        monkeypatch.setattr(room, "_COLS", cols)
        monkeypatch.setattr(room, "_MOST_THREADS", threads)
        for file in (cache / "statistics").iterdir():
            file.unlink()
        assert measure(scene, (2, 0), (2, 50)) == found


@pytest.fixture
def no_pixel(monkeypatch):
    """Give a function after whose call no pixel can be read."""

    def forbid():
        def read(*_):
            raise AssertionError("a pixel was read")

        monkeypatch.setattr(Scene, "read", read)

    return forbid


def test_no_more_counts_are_held_than_are_merged_soon(make_raster, monkeypatch):
    monkeypatch.setattr("geoseg.scene.statistics._MOST_THREADS", 1)
    values = np.arange(6000, dtype=np.uint16).reshape(1, -1, 1) % 9001
    scene = open_scene(make_raster("tall.tif", values=values, nodata=None))
    held = []

    def count(_):
        held.append(sum(type(each) is Tally for each in gc.get_objects()))

    (found,) = measure(scene, (0,), (), count)
    assert (found.pixels, found.smallest, found.largest) == (6000, 0, 5999)
    assert len(held) > 5  # windows
    assert max(held) <= 4  # the sum, two that are ready, one that is made


def test_what_is_known_is_read_from_the_cache(make_raster, no_pixel):
    path = make_raster()
    found = measure(open_scene(path), (1,), (5,))
    no_pixel()
    assert measure(open_scene(path), (1,), (5,)) == found
    bounds = (400_000.0, 5_799_500.0, 400_100.0, 5_799_700.0)
    assert measure(open_scene(path, SceneOptions(bounds=bounds)), (1,), (5,)) == found
    for other in ({"nodata": 7}, {"valid": "any"}, {"resolution": 20}):
        assert find_kept(open_scene(path, SceneOptions(**other)), (1,), (5,)) is None
    assert find_kept(open_scene(path), (0,), (5,)) is None
    assert find_kept(open_scene(path), (1,), (6,)) is None


def test_a_scene_that_was_changed_is_measured_again(make_raster, cache):
    before = np.full((1, 5, 7), 3, np.uint16)
    path = make_raster(values=before, bands=("B02",))
    assert measure(open_scene(path), (0,))[0].mean == 3
    make_raster(values=before + 1, bands=("B02",))
    os.utime(path, ns=(1, 1))  # of the same size
    assert measure(open_scene(path), (0,))[0].mean == 4
    for file in (cache / "statistics").iterdir():
        file.write_text("[[1,")
    assert measure(open_scene(path), (0,))[0].mean == 4


def test_what_refers_to_other_files_is_measured_each_time(make_raster, tmp_path):
    path, vrt = make_raster(), tmp_path / "scene.vrt"
    copy(path, vrt, driver="VRT")
    assert measure(open_scene(vrt), (0,)) == measure(open_scene(path), (0,))
    assert find_kept(open_scene(path), (0,)) is not None
    assert find_kept(open_scene(vrt), (0,)) is None, "it stays when its files change"


def test_bands_that_may_be_missing_are_measured_where_they_are(make_raster):
    values = np.arange(1, 71, dtype=np.float32).reshape(2, 5, 7)
    values[0, :2] = np.nan
    scene = open_scene(make_raster(values=values, nodata=None))
    found = [
        [band.pixels for band in measure(each, (0, 1))]
        for each in (scene, open_scene(scene.path, SceneOptions(valid="any")))
    ]
    assert found == [[21, 21], [21, 35]]


@pytest.mark.parametrize(
    ("kind", "fill", "says"),
    [
        ("own", 0, "has no valid pixel, and the model own is normalised by"),
        ("own", 7, "holds 7 almost everywhere in its band for B02, so that the model"),
        ("stretched", 7, "by the scene's own percentile 2 and percentile 98; use"),
    ],
)
def test_a_scene_that_has_no_statistics_is_refused(
    models, make_raster, tmp_path, kind, fill, says
):
    values = np.full((3, 70, 80), fill, np.uint16)
    values[:, 0, 0] = max(fill, 0) if kind == "own" else 9 * (fill > 0)
    path = make_raster(
        values=values, transform=rasterio.transform.from_origin(4e5, 5.8e6, 10, 10)
    )
    refused = segment(path, "-o", tmp_path / "out", "--model", models[kind].path)
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert says in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("short_trials")
def test_plan_and_info_say_that_the_scene_will_be_read(models, small, tmp_path):
    model, size = models["own"].path, small.stat().st_size
    words = ["plan", str(small), "-o", str(tmp_path / "out"), "--model", str(model)]
    shown = CliRunner().invoke(main, words)
    assert f"the whole scene is measured, once: {size / 1e6:,.1f} MB" in shown.stdout
    result = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert result["statistics_bytes"] == size
    measure(open_scene(small), (0, 1, 2))
    result = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert result["statistics_bytes"] == 0
    info = CliRunner().invoke(main, ["info", str(small), "--model", str(model)])
    assert f"{size:,} bytes of it are read before a map" in " ".join(
        info.stdout.split()
    )


def test_models_of_both_kinds_are_averaged_each_by_its_own(models, small):
    scene = open_scene(small)
    packages = [(models[kind], (0, 1, 2)) for kind in KINDS]
    predictor = TilePredictor.of(packages, resolve_compute("cpu", "float32"))
    both = geoseg.predict.normalise.by_scene(predictor, scene, lambda _: None)
    own, stretched = (member.measured[0] for member in both.models)
    seen = values_of(small)[0]
    assert own == pytest.approx((seen.mean(), seen.std()))
    assert stretched == pytest.approx(tuple(np.percentile(seen, (2, 98))))


def test_a_damaged_scene_is_named(models, small, tmp_path):
    path = tmp_path / "damaged.tif"
    content = small.read_bytes()
    path.write_bytes(content[:9000] + bytes(9000) + content[18_000:])
    with pytest.raises(SceneError, match=r"damaged\.tif cannot be read at rows"):
        measure(open_scene(path), (0, 1, 2))
    refused = segment(path, "-o", tmp_path / "out", "--model", models["own"].path)
    assert refused.exit_code == 2
    assert not (tmp_path / "out").exists()
