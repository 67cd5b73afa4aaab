"""A forecast says what the run then does."""

import json
import os
import re
from dataclasses import replace
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.transform import from_origin
from shapely import box

import geoseg
from geoseg.cli import main
from geoseg.diagnose.cost import BLOCKS_A_SECOND, cost_of, seconds_with
from geoseg.diagnose.forecast import _priced
from geoseg.diagnose.rates import Rates
from geoseg.diagnose.stage_time import seconds_by_stage
from geoseg.raster.extents import SQUARE
from geoseg.run.samples import Busy, SceneSamples
from geoseg.storage.full_disk import held

SENTINEL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


@pytest.fixture
def half_scene(make_raster):
    """Make a scene whose right half has no data."""
    values = np.random.default_rng(0).integers(1, 4000, (10, 300, 700), np.uint16)
    values[:, :, 330:] = 0
    transform = from_origin(300_000, 5_900_000, 10, 10)
    return make_raster(values=values, bands=SENTINEL, transform=transform)


pytestmark = pytest.mark.usefixtures("short_trials")


def test_a_forecast_counts_the_tiles_that_the_run_then_infers(half_scene, tmp_path):
    options = geoseg.SegmentOptions(block=2)
    expected = geoseg.plan(half_scene, tmp_path / "out", options=options, exact=True)
    assert not (tmp_path / "out").exists()
    assert expected.tiles_empty
    report = geoseg.segment(half_scene, tmp_path / "out", options=options)
    assert report.tiles["empty"] == expected.tiles_empty
    assert report.tiles["inferred"] == expected.tiles - expected.tiles_empty
    assert report.tiles["outside"] == expected.tiles_outside
    assert expected.seconds > expected.seconds_per_tile > 0


def test_overviews_give_an_estimate_and_without_them_there_is_none(
    half_scene, tmp_path
):
    before = geoseg.plan(half_scene, tmp_path)
    assert before.tiles_empty is None
    with rasterio.open(half_scene, "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    after = geoseg.plan(half_scene, tmp_path)
    exact = geoseg.plan(half_scene, tmp_path, exact=True)
    assert after.tiles_empty == exact.tiles_empty
    assert (after.tiles_empty_is_exact, exact.tiles_empty_is_exact) == (False, True)


@pytest.mark.parametrize("corner", ["300100 5899900", "306900 5899900"])
def test_empty_tiles_are_counted_alike_one_by_one_and_by_blocks(half_scene, corner):
    with rasterio.open(half_scene, "r+") as dataset:
        dataset.build_overviews([2], rasterio.enums.Resampling.nearest)
    aoi = f"EPSG:32633;POLYGON (({corner}, 306900 5897100, 300100 5897100, {corner}))"
    options = geoseg.SegmentOptions(block=2, tile=64, overlap=0)
    quick, exact = (
        geoseg.plan(half_scene, aoi=aoi, options=options, exact=exact)
        for exact in (False, True)
    )
    assert quick.tiles_empty == exact.tiles_empty > 0
    assert quick.tiles == exact.tiles


def test_the_command_line_shows_the_forecast(half_scene, tmp_path):
    arguments = ["plan", str(half_scene), "-o", str(tmp_path / "out")]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "not known (no overviews; --exact reads the scene)" in shown.output
    result = CliRunner().invoke(main, [*arguments, "--exact", "--json"])
    forecast = json.loads(result.stdout)
    assert forecast["tiles"] > forecast["tiles_empty"] > 0
    assert forecast["map_pixels"] == 300 * 700
    assert not (tmp_path / "out").exists()


def test_a_map_for_each_feature_needs_the_pixels_of_their_boxes(half_scene, tmp_path):
    with rasterio.open(half_scene) as dataset:
        transform, crs = dataset.transform, dataset.crs
    boxes = []
    for row, col in ((10, 20), (200, 500)):
        left, top = transform @ (col, row)
        right, bottom = transform @ (col + 40, row + 30)
        boxes.append(box(left, bottom, right, top))
    table = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=boxes, crs=crs)
    area = tmp_path / "area.gpkg"
    table.to_file(area)
    arguments = ["plan", str(half_scene), "--aoi", str(area), "--json"]
    result = CliRunner().invoke(main, [*arguments, "--per-feature", "name"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["map_pixels"] == 2 * 30 * 40
    both = CliRunner().invoke(main, [*arguments, "--per-feature", "name", "--each"])
    assert both.exit_code == 2
    alone = CliRunner().invoke(main, ["plan", str(half_scene), "--per-feature", "name"])
    assert "--per-feature needs the features of an --aoi" in alone.stderr


def test_a_scene_that_was_planned_before_is_not_sampled_again(
    half_scene, tmp_path, monkeypatch
):
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    for module in ("rates", "forecast"):
        monkeypatch.setattr(f"geoseg.diagnose.{module}.slowness", lambda: 2.0)
    options = geoseg.SegmentOptions(formats="none")
    first = geoseg.plan(half_scene, options=options)

    def again(*_):
        raise AssertionError("it was sampled before")

    monkeypatch.setattr("geoseg.diagnose.samples.seconds_per_tile", again)
    second = geoseg.plan(half_scene, options=options)
    assert second.seconds_by_stage == first.seconds_by_stage
    assert second.peak_memory_bytes >= first.peak_memory_bytes
    with pytest.raises(AssertionError, match="before"):
        geoseg.plan(half_scene, options=replace(options, tile=128))


def test_vector_files_and_all_stages_are_forecast(half_scene, tmp_path):
    options = geoseg.SegmentOptions(formats=("gpkg", "geojson"))
    expected = geoseg.plan(half_scene, tmp_path / "out", options=options)
    report = geoseg.segment(half_scene, tmp_path / "out", options=options)
    written = sum(
        (tmp_path / "out" / f"landcover.{e}").stat().st_size
        for e in ("gpkg", "geojson")
    )
    assert written / 3 < expected.vectors_bytes < 3 * written  # a small, noisy scene
    assert set(expected.seconds_by_stage) == set(report.timings_s) - {"prepare"}
    assert expected.seconds == sum(expected.seconds_by_stage.values())
    none = geoseg.plan(half_scene, options=geoseg.SegmentOptions(formats="none"))
    assert none.vectors_bytes == none.polygons_memory_bytes == 0
    assert "vectorize" not in none.seconds_by_stage


def stages_of(tile_s, workers=0):
    """Forecast 100 tiles and a map of a million pixels, in blocks of a quarter."""
    one = SimpleNamespace
    config = one(
        options=one(vector_formats=(), workers=workers, scheduler=None, report_size=0),
        layers=one(count=2),
        scene=one(rasters=[one(overviews=(2,))]),
        predictor=one(compute=one(device="cpu")),
        plan=one(
            area=one(height=4 * SQUARE),
            lattice=one(rows=one(block=1, step=SQUARE)),
        ),
    )
    found, rates = SceneSamples(tile_s, Busy(), 1), Rates(raster=1e-4)
    return seconds_by_stage(config, found, rates, 100, 1_000_000, 1.0)


def test_rasters_that_grow_beside_the_model_are_forecast_once():
    here, apart = stages_of(10.0), stages_of(10.0, workers=1)
    assert here["raster"] == apart["raster"] == pytest.approx(100)  # half are the last
    assert here["infer"] == pytest.approx(apart["infer"] + 100)  # on the same cores
    fast = stages_of(0.0, workers=1)  # the rasters are what is waited for
    assert fast["infer"] + fast["raster"] == pytest.approx(200)


@pytest.mark.parametrize(
    ("what", "answer", "words"),
    [
        (
            "still_free",
            lambda: 1000,
            "of memory more than now, and 0.0 GB are free; .*--block",
        ),
        (
            "shutil",
            SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=1000)),
            "of disk at .*--run-dir",
        ),
    ],
)
def test_what_may_not_do_is_said_before_the_run_begins(
    half_scene, tmp_path, monkeypatch, what, answer, words
):
    arguments = [str(half_scene), "-o", str(tmp_path / "out")]
    calm = CliRunner().invoke(main, ["plan", *arguments])
    assert "warning" not in calm.stderr
    monkeypatch.setattr(f"geoseg.run.resources.{what}", answer)
    for command in ("plan", "segment"):
        said = CliRunner().invoke(main, [command, *arguments])
        assert said.exit_code == 0, said.output
        assert re.search(words, said.stderr), said.stderr


def test_segment_warns_of_polygons_where_a_plan_foresaw_them(
    half_scene, tmp_path, monkeypatch
):
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("geoseg.run.resources._FOR_LARGEST", 10**12)

    def warnings():
        said = []

        def stop(step):
            said.extend(step.warnings)
            raise InterruptedError  # this is said first

        with pytest.raises(InterruptedError):
            geoseg.segment(half_scene, tmp_path / "out", on_step=stop)
        return " ".join(said)

    assert "of memory" not in warnings()
    planned = geoseg.plan(half_scene, tmp_path / "out")
    assert "`min_area`, such as 10px" in " ".join(planned.warnings)
    assert "`min_area`, such as 10px" in warnings()


def test_workers_share_inference_and_are_paid_for_all_the_time(half_scene, tmp_path):
    options = geoseg.SegmentOptions(block=1, workers=2)
    found = geoseg.plan(half_scene, tmp_path, options=options, price=1800)
    stages = dict(found.seconds_by_stage)
    expected = stages.pop("infer") / 2 + sum(stages.values())
    assert found.seconds_with_workers == pytest.approx(expected)
    assert found.cost == pytest.approx(expected)  # 2 of 1800 an hour: 1 a second
    assert "core" in found.measured_worker
    with pytest.raises(geoseg.InputError, match="`price`"):
        geoseg.plan(half_scene, tmp_path, price=-1)
    theirs = _priced(found, 2, None, 0.5)  # as another machine's plan has measured it
    inferred = found.tiles - (found.tiles_empty or 0)
    assert theirs.seconds_with_workers == pytest.approx(
        inferred * 0.5 / 2 + sum(stages.values())
    )
    assert theirs.measured_worker == "a device that takes 0.5 s for a tile"
    for price in (np.nan, np.inf):
        with pytest.raises(geoseg.InputError, match="`price`"):
            _priced(found, 2, price, None)
    for workers, seconds in ((0, 0.5), (2, 0.0), (2, np.nan), (2, np.inf)):
        with pytest.raises(geoseg.InputError, match=r"`tile_seconds`.*give both"):
            _priced(found, workers, None, seconds)


def test_files_that_a_run_under_way_takes_meanwhile_do_not_stop_a_forecast(
    tmp_path, monkeypatch
):
    (tmp_path / "there").write_bytes(b"part")
    seen = [(str(tmp_path), [], ["gone", "there"])]
    monkeypatch.setattr(os, "walk", lambda _: seen)
    assert held(tmp_path) == len(b"part")


def test_no_more_is_spread_than_there_are_blocks_nor_faster_than_they_are_handed_out():
    stages = {"infer": 1000.0, "raster": 7.0}
    assert seconds_with(stages, 10, 1000) == 107.0
    assert seconds_with(stages, 1_000_000, 10**6) == 1_000_000 / BLOCKS_A_SECOND + 7
    assert cost_of(7200.0, 0, 3.0) == 6.0


def test_the_command_says_what_workers_cost(half_scene):
    asked = ["plan", str(half_scene), "--workers", "2", "--price", "3600"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    (workers,) = (line for line in done.output.splitlines() if "2 workers" in line)
    assert "core" in workers
    (cost,) = (line for line in done.output.splitlines() if line.startswith("cost"))
    assert "2 paid by the hour for all that time" in cost
