"""Scenes too large for most things: 2.5 billion pixels, and blocks beyond 4 GB.

They are sparse, so that they take a few megabytes of the disk.
"""

import json
import os

import numpy as np
import pytest
import rasterio
from brightest import BANDS, expected, mapped
from click.testing import CliRunner

from geoseg.cli import main

SIDE, AT = 50_000, 49_321
VALUES = np.random.default_rng(7).integers(1, 4000, (3, 37, 53), np.uint16)
TILES = ("--tile", 512, "--overlap", 64)
ORIGIN = rasterio.Affine(10, 0, 400_000, 0, -10, 5_800_000)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Give a raster of which a few pixels, far down, are there."""
    path = tmp_path_factory.mktemp("large") / "scene.tif"
    shape = {"count": 3, "height": SIDE, "width": SIDE, "dtype": "uint16", "nodata": 0}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    kind = {"driver": "GTiff", "SPARSE_OK": True, "BIGTIFF": "YES", **tiles}
    georeference = {"crs": "EPSG:32633", "transform": ORIGIN}
    with rasterio.open(path, "w", **kind, **shape, **georeference) as dataset:
        dataset.descriptions = BANDS
    os.truncate(path, 5 << 30)  # what is written now comes behind
    with rasterio.open(path, "r+") as dataset:
        dataset.write(VALUES, window=rasterio.windows.Window(AT, AT, 53, 37))
    assert path.stat().st_size > 5 << 30
    assert SIDE * SIDE > 2**31
    return path


def geoseg_json(*words):
    result = CliRunner().invoke(main, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_large_scene_is_described_without_reading_it(scene):
    found = geoseg_json("info", scene)
    assert (found["width"], found["height"]) == (SIDE, SIDE)
    assert found["nodata_share"] > 0.99
    assert not found["exact"]


@pytest.mark.usefixtures("short_trials")
def test_a_run_over_a_large_scene_is_planned(scene, tmp_path, brightest):
    flags = ("--model", brightest, "-o", tmp_path / "out", *TILES)
    found = geoseg_json("plan", scene, *flags)
    assert found["map_pixels"] == SIDE * SIDE
    assert found["tiles"] == (-(-(SIDE - 64) // (512 - 64))) ** 2
    assert not (tmp_path / "out").exists()


def test_a_small_area_of_a_large_scene_is_mapped(scene, tmp_path, brightest):
    left, top = ORIGIN @ (AT, AT)
    box = f"{left},{top - 370},{left + 530},{top}"
    flags = ("--bbox", box, "--bbox-crs", "EPSG:32633", *TILES)
    classes, georeference, _ = mapped(brightest, tmp_path / "out", scene, *flags)
    assert np.array_equal(classes, expected(VALUES))
    assert georeference[0] == ORIGIN @ rasterio.Affine.translation(AT, AT)
