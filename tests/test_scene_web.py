"""Scenes on a web server: with ranges, without, slow, and failing now and then."""

import socket

import numpy as np
import pytest
from sheets import sample, write_raster
from web import served

from geoseg.errors import SceneError
from geoseg.scene import open_scene

PROFILE = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


@pytest.fixture
def folder(tmp_path):
    """Give two rasters beside each other."""
    pixels, transform, names = sample((0, 256), (0, 320))
    for number, col in enumerate((0, 160)):
        place = transform @ transform.translation(col, 0)
        part = pixels[:, :, col : col + 160]
        path = tmp_path / f"{number}.tif"
        write_raster(path, part, place, names=names, **PROFILE)
    return tmp_path


@pytest.mark.parametrize("fault", [{}, {"delay": 0.03}, {"fail_every": 10}], ids=str)
def test_a_scene_on_a_server_is_what_it_is_on_a_disk(folder, fault):
    paths = sorted(folder.glob("*.tif"))
    known = open_scene(paths)
    expected = known.read(known.window, (2, 0))
    with served(folder, **fault) as (address, _):
        scene = open_scene([f"{address}/{path.name}" for path in paths])
        assert scene.georef == known.georef
        for found, there in zip(
            scene.read(scene.window, (2, 0)), expected, strict=True
        ):
            assert np.array_equal(found, there)
        assert address in scene.identity()["scene"] or len(scene.sheets) > 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_the_status_of_a_refusal_is_told(folder, status):
    with (
        served(folder, status=status) as (address, _),
        pytest.raises(
            SceneError, match=rf"/0\.tif answers {status} .*check the address"
        ),
    ):
        open_scene(f"{address}/0.tif")


def test_a_server_that_is_not_there_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SceneError, match=rf"{port}/a\.tif does not answer"):
        open_scene(f"http://127.0.0.1:{port}/a.tif")


def test_a_server_that_gives_whole_files_only_is_refused(folder):
    with (
        served(folder, ranges=False) as (address, _),
        pytest.raises(SceneError, match=r"ignores range requests.*download the file"),
    ):
        open_scene(f"{address}/0.tif")


def test_secrets_of_an_address_are_not_shown(folder):
    with (
        served(folder, status=404) as (address, _),
        pytest.raises(SceneError) as refused,
    ):
        open_scene(f"{address}/0.tif?sig=secret")
    assert "secret" not in str(refused.value)
