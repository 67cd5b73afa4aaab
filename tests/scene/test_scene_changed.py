"""Files that change while they are read: never a map of both."""

import os
import shutil

import numpy as np
import pytest
from members import sample, write_raster
from web import served

import geoseg
from geoseg.errors import ChangedError
from geoseg.geo.windows import Window
from geoseg.scene import open_scene

CORNER = Window(0, 0, 30, 40)


def rename_over(path, other):
    other.replace(path)


def write_in_place(path, other):
    path.write_bytes(other.read_bytes())


def turn_link(path, other):
    path.rename(path.with_name("old.tif"))
    path.symlink_to(other)


def take_away(path, _):
    path.unlink()


@pytest.fixture
def pair(make_raster):
    """Give a raster, and another one of the same layout."""
    values = np.random.default_rng(1).integers(1, 4000, (3, 37, 53), np.uint16)
    return make_raster(), make_raster("other.tif", values=values)


@pytest.mark.parametrize(
    "change",
    [rename_over, write_in_place, turn_link, take_away],
    ids=lambda f: f.__name__,
)
def test_a_file_that_is_another_one_by_now_is_noticed_as_it_is_read(pair, change):
    path, other = pair
    scene = open_scene(path)
    before, _ = scene.read(CORNER, (0, 1, 2))
    again, _ = scene.read(CORNER, (0, 1, 2))
    assert np.array_equal(before, again)
    scene.check_unchanged()
    change(path, other)
    with pytest.raises(ChangedError, match=r"scene\.tif is not what it was"):
        scene.check_unchanged()
    with pytest.raises((ChangedError, geoseg.InputError), match=r"scene\.tif"):
        scene.read(CORNER, (0, 1, 2))


def test_one_member_of_many_is_named(tmp_path):
    pixels, transform, names = sample((0, 64), (0, 128))
    for number, col in enumerate((0, 64)):
        place = transform @ transform.translation(col, 0)
        part = pixels[:, :, col : col + 64]
        write_raster(tmp_path / f"{number}.tif", part, place, names=names)
    scene = open_scene([tmp_path / "0.tif", tmp_path / "1.tif"])
    (tmp_path / "1.tif").touch()
    with pytest.raises(ChangedError, match=r"1\.tif is not what it was"):
        scene.check_unchanged()


def test_a_file_on_a_server_is_asked_once_and_noticed(make_raster, tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.move(make_raster(), folder / "scene.tif")
    with served(folder) as (address, server):
        scene = open_scene(f"{address}/scene.tif")
        scene.read(CORNER, (0,))
        before = server.requests
        scene.check_unchanged()
        assert server.requests == before + 1
        values = np.random.default_rng(1).integers(1, 4000, (3, 37, 53), np.uint16)
        shutil.move(make_raster("other.tif", values=values), folder / "scene.tif")
        os.utime(folder / "scene.tif", (1e9, 1e9))
        with pytest.raises(ChangedError, match=r"scene\.tif is not what it was"):
            scene.check_unchanged()


@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_run_whose_scene_is_replaced_stops_and_leaves_no_map(
    make_raster, brightest, tmp_path, allow_missing
):
    rng = np.random.default_rng(2)
    first, second = rng.integers(1, 4000, (2, 3, 200, 230), np.uint16)
    path = make_raster(values=first)
    other = make_raster("other.tif", values=second)

    def replace_soon(step):
        if step.name == "infer" and other.exists():
            other.replace(path)

    options = geoseg.SegmentOptions(
        model=brightest, block=1, allow_missing=allow_missing
    )
    with pytest.raises(geoseg.RunError, match=r"scene\.tif is not what it was"):
        geoseg.segment(
            path,
            tmp_path / "out",
            options=options,
            on_step=replace_soon,
        )
    assert not list((tmp_path / "out").glob("*.tif"))
    assert not (tmp_path / "out" / "run.json").exists()
