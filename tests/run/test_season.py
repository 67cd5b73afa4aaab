"""A place and a season to a map: search, composite and segment, in one command."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from cloudless_season import COLLECTION, write_season
from paths import SUPPORT
from stac_api import stac_api
from web import served

import geoseg
from geoseg import SegmentOptions
from geoseg.cli import main

KILLED = """
import os, signal, sys
from geoseg.cli import main
from geoseg.run.composite.job import CompositeJob
do, done = CompositeJob.do_block, []
def deadly(job, block):
    if len(done) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(block)
    return do(job, block)
CompositeJob.do_block = deadly
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """Give the clear scene, how often pixels are clear, and a catalogue of it all."""
    folder = tmp_path_factory.mktemp("season")
    clear, items, counts = write_season(folder, side=160, clouded=0.4)
    with served(folder) as (url, _), stac_api(items) as api:
        for item in items:
            item["links"] = [{"rel": "self", "href": f"{url}/{item['id']}.json"}]
        yield clear, counts, api


def asked(api, clear, *, datetime="2024"):
    """Give the flags of a search, and of how its dates are put together."""
    return [
        *("--search", api.url, "--collection", COLLECTION, "--datetime", datetime),
        *("--mask", "scl:cloud", "--like", str(clear), "--resampling", "nearest"),
        "--allow-external-references",
    ]


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), env={"COLUMNS": "250"})


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_one_command_maps_a_cloudy_season_as_the_clear_scene(season, tmp_path):
    clear, counts, api = season
    out = tmp_path / "map"
    command = [
        *("segment", *asked(api, clear), "--mosaic", "median", "-o", out),
        *("--format", "none"),
    ]
    result = run(*command)
    assert result.exit_code == 0, result.output
    geoseg.segment(clear, tmp_path / "clear", options=SegmentOptions(formats="none"))
    same = read(out / "landcover.tif") == read(tmp_path / "clear" / "landcover.tif")
    often = counts >= 3
    assert often.mean() > 0.9
    assert same[0, often].mean() >= 0.99
    kept = json.loads((out / "items.json").read_text())
    assert len(kept["features"]) == 12
    assert kept["search"]["datetime"] == "2024"
    # The same command asks nobody again.
    before = api.requests
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "nothing was computed" in result.output
    assert api.requests == before


def test_another_search_is_refused_beside_items_that_are_kept(season, tmp_path):
    clear, _, api = season
    first = ["composite", "-o", tmp_path / "c.tif"]
    assert run(*first, *asked(api, clear, datetime="2024-02/2024-05")).exit_code == 0
    items, image = tmp_path / "c_items.json", tmp_path / "c.tif"
    before = items.read_bytes(), image.read_bytes()
    assert len(json.loads(before[0])["features"]) == 4
    result = run(*first, *asked(api, clear, datetime="2024-03/2024-06"))
    assert result.exit_code == 2
    assert "another --datetime found" in result.output
    assert (items.read_bytes(), image.read_bytes()) == before
    result = run(*first, *asked(api, clear, datetime="2024-03/2024-07"), "--restart")
    assert result.exit_code == 0, result.output
    assert len(json.loads(items.read_text())["features"]) == 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--model", "no-such-model"), "no-such-model"),
        (("--mask", "scl:fog"), "fog"),
        (("--max-cloud", "0"), "nothing was found"),
        (("--collection", "sentinel-3"), "no collection 'sentinel-3'"),
        (("--datetime", "2024-13"), "is a day, a month"),
        (("--mosaic", "nearest-clear"), "give --near"),
        (("--each",), "--each maps scenes by themselves"),
        (("scene.tif",), "both say what to read"),
    ],
)
def test_what_cannot_be_found_or_mapped_leaves_nothing(season, tmp_path, more, words):
    clear, _, api = season
    out = tmp_path / "map"
    result = run("segment", *asked(api, clear), "-o", out, *more)
    assert result.exit_code == 2
    assert words in result.output
    assert not list(tmp_path.iterdir())


def test_items_whose_files_lie_elsewhere_want_leave_and_leave_nothing(season, tmp_path):
    clear, _, api = season
    flags = [each for each in asked(api, clear) if "external" not in each]
    result = run("segment", *flags, "-o", tmp_path / "map")
    assert result.exit_code == 2
    assert "--allow-external-references" in result.output
    assert not list(tmp_path.iterdir())
    result = run("segment", "--limit", 3, clear, "-o", tmp_path / "map")
    assert result.exit_code == 2
    assert "--limit is a condition of --search" in result.output


@pytest.mark.slow  # a process that is killed, and two workers
def test_a_killed_composite_of_a_search_ends_with_the_same_bytes(season, tmp_path):
    clear, _, api = season
    flags = [*asked(api, clear), "--block", "48", "--mosaic", "medoid"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    done = run("composite", *flags, "-o", tmp_path / "whole" / "x.tif")
    assert done.exit_code == 0, done.output
    killed = ["composite", *flags, "-o", str(tmp_path / "killed" / "x.tif")]
    dead = subprocess.run(
        [sys.executable, "-c", KILLED, *killed],
        check=False,
        env={**os.environ, "PYTHONPATH": f"{SUPPORT.parent.parent}"},
    )
    assert dead.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "x.tif").exists()
    before = api.requests
    done = run(*killed, "--workers", 2)
    assert done.exit_code == 0, done.output
    assert api.requests == before
    names = ("x.tif", "x_count.tif", "x_date.tif", "x_items.json")
    assert [(tmp_path / "killed" / n).read_bytes() for n in names] == [
        (tmp_path / "whole" / n).read_bytes() for n in names
    ]
    counts = read(tmp_path / "killed" / "x_count.tif")
    assert np.array_equal(np.unique(counts), np.unique(season[1]))
