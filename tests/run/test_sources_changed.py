"""A scene that is replaced in the middle of a run gives no map of both."""

import numpy as np
import pytest
from affine import Affine
from brightest import BANDS, save_model
from members import write_raster
from replaced import WAYS, rename_over
from web import served

import geoseg
from geoseg.errors import ChangedError, RunError, SilentError
from geoseg.scene.files.raster import Raster
from geoseg.storage import fingerprint

SIDE = 256
TRANSFORM = Affine(10, 0, 500_000, 0, -10, 5_900_000)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Give the folder of a package."""
    return save_model(tmp_path_factory.mktemp("model"))


def write(path, seed):
    """Write a scene; all have the same layout."""
    pixels = np.random.default_rng(seed).integers(1, 4000, (3, SIDE, SIDE), np.uint16)
    write_raster(path, pixels, TRANSFORM, names=BANDS)


def segment(model, scene, output, change=None, **more):
    """Map a scene, and change it when the first block is done."""
    left = [change] if change else []

    def on_step(step):
        if step.name == "infer" and step.done and left:
            left.pop()()

    options = geoseg.SegmentOptions(
        model=(model,), tile=64, overlap=16, block=1, **more
    )
    return geoseg.segment(scene, output, options=options, on_step=on_step)


def refused(model, scene, output, change, name, **more):
    """Map a scene that changes: the file is named, nothing is delivered."""
    said = rf"{name} is not what it was.*; \d+ blocks? had been read before$"
    with pytest.raises(ChangedError, match=said):
        segment(model, scene, output, change, **more)
    assert not list(output.glob("*.tif"))
    assert not (output / "run.json").exists()


@pytest.mark.parametrize(
    ("how", "allowed"), [*((way, False) for way in WAYS[:-1]), (rename_over, True)]
)
def test_a_scene_replaced_on_disk_stops_the_run(model, tmp_path, how, allowed):
    scene, other = tmp_path / "scene.tif", tmp_path / "other.tif"
    write(tmp_path / "first.tif", 1)
    write(other, 2)
    scene.symlink_to(tmp_path / "first.tif")
    change = lambda: how(scene, other)  # noqa: E731
    output = tmp_path / "out"
    refused(model, scene, output, change, "scene.tif", allow_missing=allowed)


def test_a_member_of_a_mosaic_that_is_replaced_is_named(model, tmp_path):
    folder = tmp_path / "scene"
    folder.mkdir()
    write(folder / "a.tif", 1)
    write(tmp_path / "other.tif", 2)
    pixels = np.full((3, SIDE, SIDE), 7, np.uint16)
    write_raster(
        folder / "b.tif", pixels, TRANSFORM @ Affine.translation(SIDE, 0), names=BANDS
    )
    change = lambda: rename_over(folder / "b.tif", tmp_path / "other.tif")  # noqa: E731
    refused(model, folder, tmp_path / "out", change, "b.tif")


def test_a_scene_replaced_on_a_server_stops_the_run(model, tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    write(folder / "scene.tif", 1)
    write(tmp_path / "other.tif", 2)
    change = lambda: rename_over(folder / "scene.tif", tmp_path / "other.tif")  # noqa: E731
    with served(folder) as (address, _):
        url = f"{address}/scene.tif"
        refused(model, url, tmp_path / "out", change, "scene.tif")


def test_a_scene_that_is_gone_at_the_end_is_no_map(model, tmp_path):
    scene = tmp_path / "scene.tif"
    write(scene, 1)
    with pytest.raises(geoseg.RunError, match=r"scene\.tif"):
        segment(model, scene, tmp_path / "out", scene.unlink)
    assert not (tmp_path / "out" / "run.json").exists()


def test_an_untouched_scene_costs_one_small_request_a_block_and_five_more(
    model, tmp_path, monkeypatch
):
    folder = tmp_path / "served"
    folder.mkdir()
    write(folder / "scene.tif", 1)
    looks, look = [], fingerprint._of_address  # noqa: SLF001  # counted

    def counted(url, name):
        before = server.requests
        found = look(url, name)
        looks.append(server.requests - before)
        return found

    monkeypatch.setattr(fingerprint, "_of_address", counted)
    with served(folder) as (address, server):
        report = segment(model, f"{address}/scene.tif", tmp_path / "out")
    blocks = report.tiles["inferred"]  # each of one tile
    assert blocks < len(looks) <= blocks + 5
    assert looks[0] == 1


def test_a_silent_server_stops_the_run_and_not_each_block(model, tmp_path, monkeypatch):
    write(tmp_path / "scene.tif", 1)
    output, asked = tmp_path / "out", []

    def is_silent(*_, **__):
        asked.append(1)
        raise SilentError("the server of https://host/scene.tif timed out")

    def hush():
        monkeypatch.setattr(Raster, "_read", is_silent)

    with pytest.raises(RunError, match="timed out"):
        segment(model, tmp_path / "scene.tif", output, hush, allow_missing=True)
    assert 0 < len(asked) <= 15  # three tries of the few blocks under way, of 36
    monkeypatch.undo()
    segment(model, tmp_path / "scene.tif", output, allow_missing=True)
    assert (output / "landcover.tif").exists()
