"""Scenes on a web server: with ranges, without, slow, and failing now and then."""

import socket
import time
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from members import cut_members, sample, write_raster
from rasterio.errors import RasterioIOError
from waits import shorten
from web import served

import geoseg
from geoseg.cli.screen import Screen
from geoseg.errors import SceneError, SilentError
from geoseg.geo.windows import Window
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.files.datasets import opened, opened_once
from geoseg.scene.members import waves
from geoseg.storage import timeouts
from geoseg.storage.fingerprint import take_fingerprint

PROFILE = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


@pytest.fixture
def folder(tmp_path):
    """Give two rasters beside each other."""
    pixels, transform, names = sample((0, 256), (0, 320))
    for number, col in enumerate((0, 160)):
        moved = transform @ transform.translation(col, 0)
        part = pixels[:, :, col : col + 160]
        path = tmp_path / f"{number}.tif"
        write_raster(path, part, moved, names=names, **PROFILE)
    return tmp_path


@pytest.mark.parametrize("cuts", [1, 2])
def test_an_answer_that_breaks_off_is_asked_for_again(folder, cuts):
    path = folder / "0.tif"
    known = open_scene(path)
    expected, _ = known.read(known.window, (2, 0))
    with served(folder) as (address, server):
        scene = open_scene(f"{address}/{path.name}")
        server.cuts = cuts
        found, _ = scene.read(scene.window, (2, 0))
        assert server.cuts == 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("fault", [{}, {"delay": 0.03}, {"fail_every": 10}], ids=str)
def test_a_scene_on_a_server_is_what_it_is_on_a_disk(folder, fault):
    paths = sorted(folder.glob("*.tif"))
    known = open_scene(paths)
    expected = known.read(known.window, (2, 0))
    with served(folder, **fault) as (address, _):
        scene = open_scene([f"{address}/{path.name}" for path in paths])
        assert scene.geobox == known.geobox
        for found, there in zip(
            scene.read(scene.window, (2, 0)), expected, strict=True
        ):
            assert np.array_equal(found, there)
        assert address in scene.identity()["scene"] or len(scene.members) > 1


@pytest.mark.parametrize("fault", [{"delay": 0.05}, {"fail_every": 10}], ids=str)
def test_members_on_a_server_are_read_at_once_and_are_what_they_are_on_a_disk(
    tmp_path, fault
):
    paths = sorted(cut_members(tmp_path, rows=2, cols=3, side=200).iterdir())
    known = open_scene(paths)
    with served(tmp_path, **fault) as (address, server):
        scene = open_scene([f"{address}/{path.name}" for path in paths])
        assert scene.is_remote
        server.most = 0
        windows = scene.window, Window(140, 150, 190, 311)
        for window in windows:
            for found, there in zip(
                scene.read(window, (2, 0)), known.read(window, (2, 0)), strict=True
            ):
                assert np.array_equal(found, there)
        assert server.most > 1 or "delay" not in fault


def test_bands_on_a_server_are_read_at_once(tmp_path):
    pixels, transform, names = sample((0, 300), (0, 400))
    for name, band in zip(names, pixels, strict=True):
        write_raster(tmp_path / f"{name}.tif", band[np.newaxis], transform)
    with served(tmp_path, delay=0.05) as (address, server):
        bands = tuple((name, f"{address}/{name}.tif") for name in names)
        scene = open_scene([], SceneOptions(bands=bands))
        server.most = 0
        assert np.array_equal(scene.read(scene.window, (2, 0, 1))[0], pixels[[2, 0, 1]])
        assert server.most == len(names)


def test_a_file_whose_index_of_tiles_does_not_come_is_an_error_and_never_nodata(
    folder, monkeypatch
):
    known = open_scene(folder / "0.tif")
    with served(folder) as (address, server):
        scene = open_scene(f"{address}/0.tif")
        path = scene.rasters[0].path
        monkeypatch.setenv("CPL_VSIL_CURL_NON_CACHED", path)
        with opened(path, "GTiff", scene.rasters[0].fingerprint):
            pass  # it is open now, and lies idle
        with opened_once(path, ["GTiff"]):
            pass  # closed, which makes GDAL forget the header that it had
        server.status = 403
        with pytest.raises(SceneError, match="answers 403"):
            scene.read(scene.window, (2, 0))
        server.status = 0
        for found, there in zip(
            scene.read(scene.window, (2, 0)),
            known.read(known.window, (2, 0)),
            strict=True,
        ):
            assert np.array_equal(found, there)


def test_a_mask_that_was_there_and_cannot_be_read_is_an_error_and_not_all_valid(folder):
    pixels, transform, _ = sample((0, 100), (0, 100))
    path = write_raster(folder / "plain.tif", pixels, transform, nodata=None)
    raster = open_scene(path).rasters[0]
    masked = replace(
        raster, bands=tuple(replace(band, masked=True) for band in raster.bands)
    )
    with pytest.raises(SceneError, match="mask that says where it has data"):
        masked.read(Window(0, 0, 100, 100), (0,))


@st.composite
def layouts(draw):
    """Draw windows of members, which may lie over one another."""
    side = st.integers(1, 40)
    path = st.integers(0, 80)
    window = st.builds(Window, path, path, side, side)
    return [SimpleNamespace(window=w) for w in draw(st.lists(window, max_size=12))]


@given(members=layouts())
def test_members_that_are_read_at_once_share_no_pixel_and_keep_their_order(members):
    seen = Window(20, 30, 60, 50)
    groups = waves(members, seen)
    path = {id(s): number for number, group in enumerate(groups) for s in group}
    assert sorted(path) == sorted(id(member) for member in members)
    for (first, one), (second, other) in combinations(enumerate(members), 2):
        shared = one.window.intersection(other.window)
        if shared and shared.intersection(seen):
            assert first < second
            assert path[id(one)] < path[id(other)]


@pytest.mark.parametrize("status", [403, 404])
def test_the_status_of_a_server_that_fails_later_is_reported(folder, status):
    with served(folder) as (address, server):
        scene = open_scene([f"{address}/0.tif", f"{address}/1.tif"])
        server.status = status
        with pytest.raises(SceneError, match=rf"/0\.tif answers {status} .*rows 0-256"):
            scene.read(scene.window, (0, 1, 2))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_the_status_of_a_refusal_is_reported(folder, status):
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


def test_a_server_that_falls_silent_when_a_file_is_opened_or_read_timed_out(
    folder, monkeypatch
):
    shorten(monkeypatch, server_sends=0.2)

    def gives_up(*_, **__):  # as GDAL does after ten seconds
        server.silent = True
        raise RasterioIOError("not recognized as being in a supported file format")

    with served(folder) as (address, server):
        scene = open_scene(f"{address}/0.tif")
        for name in ("header.opened_guarded", "raster.opened"):
            monkeypatch.setattr(f"geoseg.scene.files.{name}", gives_up)
        with pytest.raises(SilentError, match=rf"of {address}/0\.tif timed out.*again"):
            scene.read(scene.window, (0,))
        server.silent = False
        with pytest.raises(SceneError, match=rf"of {address}/1\.tif timed out"):
            open_scene(f"{address}/1.tif")
        shorten(monkeypatch, answer=0.2)
        with pytest.raises(SceneError, match="timed out"):
            open_scene(f"{address}/0.tif")  # silent from the beginning


def test_a_server_that_was_silent_is_asked_with_little_patience(folder, monkeypatch):
    """Whatever else waits for it: other members, other blocks, what is tried again."""
    shorten(monkeypatch, probe=0.1)
    with served(folder) as (address, server):
        scene = open_scene([f"{address}/0.tif", f"{address}/1.tif"])
        timeouts.remember(address)
        server.silent = True
        began = time.monotonic()
        with pytest.raises(SilentError, match="timed out"):
            scene.read(scene.window, (0,))
        with pytest.raises(geoseg.RunError, match="timed out"):
            scene.check_unchanged()
        assert time.monotonic() - began < 5  # GDAL waits for ten seconds each time
        server.silent = False
        assert scene.read(scene.window, (0,))[1].all()
        assert not timeouts.was_silent(address)


def test_secrets_of_an_address_are_not_shown(folder):
    with (
        served(folder, status=404) as (address, _),
        pytest.raises(SceneError) as refused,
    ):
        open_scene(f"{address}/0.tif?sig=secret")
    assert "secret" not in str(refused.value)


def test_what_is_asked_again_is_said(folder, caplog):
    caplog.set_level("INFO", logger="geoseg")
    with served(folder) as (address, server):
        scene = open_scene(f"{address}/0.tif")
        server.cuts = 1
        scene.read(scene.window, (2, 0))
        server.status = 503
        with pytest.raises(SceneError, match="Error 503"):
            take_fingerprint(f"{address}/0.tif?sig=secret")
    _, broken, *busy = caplog.messages  # the first says what was opened
    assert f"{address}/0.tif cannot be read at rows 0-256" in broken
    assert broken.endswith("; it is read again in 0.3 s, three times in all")
    assert busy == [
        f"{address}/0.tif answers 503; it is asked again in {pause} s, three times "
        f"in all"
        for pause in (0.3, 0.9)
    ]


def test_a_server_that_is_silent_is_reported_while_it_is(tmp_path, monkeypatch, capsys):
    shorten(monkeypatch, slow_answer=0.2)
    (tmp_path / "a.tif").write_bytes(bytes(100))
    with served(tmp_path, delay=1) as (address, _), Screen(quiet=False, as_json=False):
        take_fingerprint(f"{address}/a.tif?sig=secret")
    (message,) = capsys.readouterr().err.splitlines()
    assert message == (
        f"geoseg: {address}/a.tif has not answered for 0.2 s; it is given up after 20 s"
    )
