"""Composites as files: the same bytes whoever makes them, and true to their looks."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from items import make_item
from members import write_raster
from paths import ROOT

import geoseg
from geoseg import CompositeOptions, InputError, RunError, SceneOptions, Window
from geoseg.cli import main
from geoseg.run.composite.job import CompositeJob

NAMES = ("B02", "B03", "B04", "B08")
HEIGHT, WIDTH, DATES = 53, 71, 6
TRANSFORM = Affine(10, 0, 399_960, 0, -10, 5_800_020)


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """Give the files of six dates, a month apart, and their stack, newest first."""
    folder, rng = tmp_path_factory.mktemp("looks"), np.random.default_rng(7)
    stack = rng.integers(1, 4000, (DATES, len(NAMES), HEIGHT, WIDTH)).astype(np.uint16)
    stack[:, :, :4, :6] = 0
    for at, pixels in enumerate(stack):
        pixels[:, rng.random((HEIGHT, WIDTH)) < 0.2] = 0
        path = write_raster(folder / f"look{at}.tif", pixels, TRANSFORM, names=NAMES)
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=f"2024:{at + 4:02}:15 10:20:30")
    return folder, stack[::-1]


def chosen(rule="median", **more):
    return CompositeOptions(scene=SceneOptions(mosaic=rule), **more)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def all_bytes(folder):
    """Give the rasters of a folder, in which nothing hidden is left."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.tif")}
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return found


def test_a_composite_is_a_scene_with_its_counts_and_dates(looks, tmp_path):
    folder, stack = looks
    (made,) = geoseg.composite(folder, tmp_path / "c.tif", options=chosen("medoid"))
    scene = geoseg.open_scene(folder, SceneOptions(mosaic="medoid"))
    found, clear = scene.composite(scene.window), (stack[:, 0] > 0).sum(axis=0)
    with rasterio.open(made.composite) as dataset:
        assert (dataset.descriptions, dataset.nodata) == (NAMES, 0)
        assert dataset.transform == TRANSFORM
        assert dataset.tags()["GEOSEG_COMPOSITE"] == "medoid"
        assert "2024-09-15" in dataset.tags()["GEOSEG_DATES"]
        assert np.array_equal(dataset.read(), found.pixels)
    assert np.array_equal(read(made.counts)[0], clear)
    days = np.array([20240915 - 100 * at for at in range(DATES)])
    wanted = np.where(clear > 0, days[found.chosen], 0)
    assert np.array_equal(read(made.dates)[0], wanted)
    assert made.clear_counts == tuple(np.bincount(clear.ravel(), minlength=DATES + 1))
    assert made.clear_share == (clear > 0).mean()
    record = json.loads((tmp_path / "c.tif.json").read_text())
    assert [look["day"] for look in record["looks"]][::5] == [
        "2024-09-15",
        "2024-04-15",
    ]
    again = geoseg.open_scene(made.composite)
    assert np.array_equal(again.read(again.window)[1], clear > 0)


def test_a_timeline_says_how_long_workers_took_to_be_there(looks, tmp_path):
    folder, trace = looks[0], tmp_path / "trace.json"
    geoseg.composite(folder, tmp_path / "c.tif", options=chosen(trace=trace))
    stages = [
        (each["ts"], each["name"])
        for each in json.loads(trace.read_text())
        if each["ph"] == "X" and not each["args"]
    ]
    before = ["prepare", "start workers", "composite", "set up workers"]
    assert [name for _, name in sorted(stages)][:4] == before


@pytest.mark.parametrize("rule", ["median", "medoid"])
def test_blocks_and_workers_never_show(looks, tmp_path, rule):
    folder, _ = looks
    for name, more in (("a", {}), ("b", {"block": 16}), ("c", {"block": 37})):
        geoseg.composite(
            folder, tmp_path / name / "x.tif", options=chosen(rule, **more)
        )
    first = all_bytes(tmp_path / "a")
    assert first == all_bytes(tmp_path / "b") == all_bytes(tmp_path / "c")
    assert len(first) == (2 if rule == "median" else 3)


def test_a_composite_that_was_stopped_carries_on_to_the_same_bytes(
    looks, tmp_path, monkeypatch
):
    folder, _ = looks
    geoseg.composite(folder, tmp_path / "whole" / "x.tif", options=chosen(block=16))
    do, blocks = CompositeJob.do_block, []

    def failing(job, block):
        if len(blocks) >= 9:
            raise OSError("the lights went out")
        blocks.append(block)
        return do(job, block)

    stopped = tmp_path / "stopped" / "x.tif"
    monkeypatch.setattr(CompositeJob, "do_block", failing)
    with pytest.raises(RunError, match="the lights went out"):
        geoseg.composite(folder, stopped, options=chosen(block=16))
    assert not stopped.exists()
    with pytest.raises(InputError, match="scene options"):
        geoseg.composite(folder, stopped, options=chosen("mean", block=16))
    done, steps = set(blocks), []

    def counting(job, block):
        assert block not in done
        return do(job, block)

    monkeypatch.setattr(CompositeJob, "do_block", counting)
    geoseg.composite(folder, stopped, options=chosen(block=16), on_step=steps.append)
    assert max(step.resumed_blocks for step in steps) == len(done) == 9
    assert all_bytes(stopped.parent) == all_bytes(tmp_path / "whole")
    # What is finished is not made again, until an input is another one.
    made = geoseg.composite(
        folder, stopped, options=chosen(block=16), on_step=steps.append
    )
    assert "nothing was computed" in "".join(step.note for step in steps)
    assert (
        made[0].sha256 == geoseg.composite(folder, stopped, options=chosen())[0].sha256
    )


def test_an_area_gives_the_crop_and_nothing_outside_it(looks, tmp_path):
    folder, _ = looks
    left, top = TRANSFORM.c + 100, TRANSFORM.f - 80
    box = f"EPSG:32633;{left},{top - 300},{left + 250},{top}"
    (made,) = geoseg.composite(folder, tmp_path / "a.tif", aoi=box, options=chosen())
    with rasterio.open(made.composite) as dataset:
        assert (dataset.height, dataset.width) == (30, 25)
        assert (dataset.transform.c, dataset.transform.f) == (left, top)
    part = geoseg.open_scene(folder, SceneOptions(mosaic="median"))
    assert np.array_equal(read(made.composite), part.read(Window(8, 10, 30, 25))[0])
    assert made.pixels == 30 * 25
    corners = ((left, top), (left + 250, top), (left, top - 300), (left, top))
    corner_list = ", ".join(f"{x} {y}" for x, y in corners)
    triangle = f"EPSG:32633;POLYGON(({corner_list}))"
    (made,) = geoseg.composite(
        folder, tmp_path / "t.tif", aoi=triangle, options=chosen()
    )
    assert made.pixels < 30 * 25 * 0.6
    assert (read(made.composite)[:, -2:, -2:] == 0).all()
    assert (read(made.counts)[:, -2:, -2:] == 0).all()


def test_a_period_each_on_one_grid(looks, tmp_path):
    folder, stack = looks
    made = geoseg.composite(
        folder,
        tmp_path / "c.tif",
        options=chosen(period="quarter", only=("nir", "B02")),
    )
    names = [each.composite.rpartition("/")[2] for each in made]
    assert names == ["c-2024-Q2.tif", "c-2024-Q3.tif"]
    later = stack[:3].astype(np.float64)
    later[later == 0] = np.nan
    with rasterio.open(made[1].composite) as dataset:
        assert dataset.descriptions == ("B08", "B02")
        assert dataset.shape == (HEIGHT, WIDTH)
        clear = np.isfinite(later[:, 0]).any(axis=0)
        wanted = np.rint(np.nanmedian(later[:, [3, 0]][..., clear], axis=0))
        assert np.array_equal(dataset.read()[:, clear], wanted)


def test_offsets_are_taken_off_date_by_date_before_dates_are_put_together(tmp_path):
    bands, paths = ("B02", "B03", "B04"), []
    for at, (added, baseline) in enumerate(
        [(0, "02.04"), (1000, "05.00"), (1000, "05.10")]
    ):
        paths.append(
            make_item(
                tmp_path / f"item{at}",
                version="1.1.0",
                added=added,
                bands=bands,
                when=f"202{at + 1}-06-1{at}T10:20:30Z",
                properties={"s2:processing_baseline": baseline, "eo:cloud_cover": at},
            )
        )
    (made,) = geoseg.composite(paths, tmp_path / "c.tif", options=chosen())
    with rasterio.open(made.composite) as dataset:
        assert dataset.dtypes[0] == "float32"
        assert np.isnan(dataset.nodata)
        assert set(dataset.scales) == {1e-4}
        assert set(dataset.offsets) == {0.0}
        pixels = dataset.read()
    plain = geoseg.open_scene(paths[0])
    wanted, valid = plain.read(plain.window)
    assert np.abs(pixels[:, valid] - wanted[:, valid]).max() < 1e-3
    # As a scene it is what the items are with the rule.
    again = geoseg.open_scene(made.composite).in_unit(1e-4)
    scene = geoseg.open_scene(paths, SceneOptions(mosaic="median")).in_unit(1e-4)
    assert np.array_equal(again.read(again.window)[0], scene.read(scene.window)[0])
    least = replace(chosen("least-cloud"), restart=True)
    (made,) = geoseg.composite(paths, tmp_path / "least.tif", options=least)
    assert [look["cloud"] for look in made.looks] == [0.0, 1.0, 2.0]
    assert set(np.unique(read(made.dates))) == {0, 20210610} - (
        {0} if valid.all() else set()
    )


def test_numbers_without_a_nodata_of_their_own_become_such_as_have_one(tmp_path):
    rng = np.random.default_rng(3)
    paths = []
    for at in range(2):
        pixels = rng.integers(0, 255, (1, 9, 11)).astype(np.uint8)
        paths.append(
            write_raster(tmp_path / f"{at}.tif", pixels, TRANSFORM, nodata=None)
        )
    (made,) = geoseg.composite(paths, tmp_path / "out.tif", options=chosen("mean"))
    with rasterio.open(made.composite) as dataset:
        assert dataset.dtypes == ("float32",)
        assert np.isnan(dataset.nodata)
        wanted = np.rint((read(paths[0]).astype(float) + read(paths[1])) / 2)
        assert np.array_equal(dataset.read(), wanted)


def test_a_mask_model_hides_what_it_sees_on_each_date_by_itself(brightest, tmp_path):
    rng, folder = np.random.default_rng(11), tmp_path / "looks"
    folder.mkdir()
    stack = rng.integers(1, 4000, (3, 3, 64, 80)).astype(np.uint16)
    for at, pixels in enumerate(stack):
        path = write_raster(folder / f"{at}.tif", pixels, TRANSFORM, names=NAMES)
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=f"2024:06:1{at} 10:20:30")
    options = chosen("mean", mask_model=brightest, mask_classes=("red",))
    (made,) = geoseg.composite(folder, tmp_path / "c.tif", options=options)
    clear = stack.argmax(axis=1) != 2  # where the third band is not the brightest
    assert np.array_equal(read(made.counts)[0], clear.sum(axis=0))
    sums = (stack * clear[:, None]).sum(axis=0, dtype=np.float64)
    wanted = np.rint(sums / np.maximum(clear.sum(axis=0), 1))
    assert np.array_equal(read(made.composite), wanted)
    assert sorted(path.name for path in tmp_path.iterdir() if "c" in path.name) == [
        *("c.tif", "c.tif.json", "c_count.tif"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "c.png"), "write c.tif"),
        (("-o", "http://host/c.tif"), "and not to http://host"),
        (("-o", "c.tif", "--only", "B09,B02"), "there is no band 'B09'"),
        (("-o", "c.tif", "--mosaic", "nearest-clear"), "give --near"),
        (("-o", "c.tif", "--mask-model", "no-such-model"), "no-such-model"),
        (
            ("-o", "c.tif", "--datetime", "2019"),
            "nothing was acquired in --datetime 2019",
        ),
        (("-o", "look0.tif"), "is an input"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_sentence(
    looks, monkeypatch, arguments, words
):
    folder, _ = looks
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = CliRunner().invoke(main, ["composite", str(folder), *arguments])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert sorted(folder.iterdir()) == before


def test_segment_refuses_to_look_for_clouds_on_many_dates(looks, tmp_path):
    arguments = [
        "segment",
        str(looks[0]),
        "-o",
        str(tmp_path / "o"),
        "--mosaic",
        "mean",
    ]
    result = CliRunner().invoke(main, [*arguments, "--mask-model", "anything"])
    assert result.exit_code == 2
    assert "make the composite first" in result.output


def test_a_composite_needs_no_network_and_none_of_the_memory_of_one(looks, tmp_path):
    code = (
        "import sys, geoseg; geoseg.composite(sys.argv[1], sys.argv[2]); "
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, looks[0], tmp_path / "c.tif"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (tmp_path / "c.tif").is_file()


def test_the_command_shows_a_row_a_composite(looks, tmp_path):
    folder, _ = looks
    out = tmp_path / "c.tif"
    arguments = ["composite", str(folder), "-o", str(out), "--period", "quarter"]
    result = CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "c-2024-Q2.tif  2024-04-15  2024-06-15" in result.output
    result = CliRunner().invoke(main, [*arguments, "--json", "--quiet"])
    assert [each["rule"] for each in json.loads(result.stdout)["composites"]] == [
        *("median", "median"),
    ]
