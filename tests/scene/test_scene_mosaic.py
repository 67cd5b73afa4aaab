"""Many files as one image: which counts where, what fits together, what is kept."""

import os
import pickle
import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from members import cut_members, sample, write_raster

from geoseg.errors import SceneError
from geoseg.geo.windows import Window
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.files import index as index_room
from geoseg.scene.files.index import read_headers
from geoseg.scene.files.raster import Raster

BANDS = (2, 0)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Give sixty overlapping members."""
    return cut_members(tmp_path_factory.mktemp("sixty") / "members")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep headers in a folder of the test's own."""
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def painted(paths):
    """Paint members over one another, pixel by pixel, the first one on top."""
    read = []
    for path in paths:
        with rasterio.open(path) as dataset:
            read.append((dataset.transform, dataset.read([band + 1 for band in BANDS])))
    left = min(transform.c for transform, _ in read)
    top = max(transform.f for transform, _ in read)
    whole = np.zeros((len(BANDS), 372, 612), np.uint16)
    for transform, pixels in reversed(read):
        row, col = round((top - transform.f) / 10), round((transform.c - left) / 10)
        part = whole[:, row : row + pixels.shape[1], col : col + pixels.shape[2]]
        np.copyto(part, pixels, where=(pixels > 0).all(axis=0))
    return whole


def read_whole(scene):
    pixels, valid = scene.read(scene.window, BANDS)
    return np.where(valid, pixels, 0)


@pytest.mark.parametrize("rule", ["first", "last"])
def test_the_rule_says_which_member_counts(folder, rule):
    paths = sorted(folder.iterdir())
    scene = open_scene(folder, SceneOptions(mosaic=rule))
    assert (len(scene.members), scene.name) == (60, "members")
    assert (scene.geobox.height, scene.geobox.width) == (372, 612)
    expected = painted(paths if rule == "first" else paths[::-1])
    assert np.array_equal(read_whole(scene), expected)


@pytest.fixture(scope="session")
def read_at_once(folder):
    """Give the sixty members as one scene, and all of its pixels."""
    scene = open_scene(folder)
    return scene, *scene.read(scene.window, BANDS)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_mosaic_is_the_same_in_every_window(read_at_once, data):
    scene, whole, valid = read_at_once
    row, col = data.draw(st.integers(0, 371)), data.draw(st.integers(0, 611))
    height = data.draw(st.integers(1, 372 - row))
    window = Window(row, col, height, data.draw(st.integers(1, 612 - col)))
    pixels, part = scene.read(window, BANDS)
    assert np.array_equal(part, valid[window.slices()])
    assert pixels.tobytes() == whole[(slice(None), *window.slices())].tobytes()


def test_a_member_is_read_no_further_than_those_above_leave_off(tmp_path, monkeypatch):
    scene = open_scene(cut_members(tmp_path / "members", rows=1, cols=3))
    read, parts = Raster.read, []

    def noting(raster, window, *given):
        parts.append((window.row, window.col, window.height, window.width))
        return read(raster, window, *given)

    monkeypatch.setattr(Raster, "read", noting)
    scene.read(Window(30, 10, 40, 160), (0,))
    assert parts == [(30, 10, 40, 62), (30, 12, 40, 60), (30, 12, 40, 38)]


def test_files_patterns_and_lists_are_the_same_as_their_folder(folder, tmp_path):
    expected = open_scene(folder)
    paths = sorted(folder.iterdir())
    names = tmp_path / "members.txt"
    lines = [os.path.relpath(path, tmp_path) for path in paths]
    names.write_text("\n".join(["# sixty members", "", *lines]))
    for named in (paths, folder / "member_*.tif", names):
        scene = open_scene(named)
        assert scene.geobox == expected.geobox
        assert len(scene.members) == 60
    assert np.array_equal(read_whole(scene), read_whole(expected))
    assert pickle.loads(pickle.dumps(scene)) == scene  # noqa: S301  # just made


def test_the_newest_member_counts(tmp_path):
    pixels, transform, _ = sample((0, 20), (0, 30))
    days = ("2021:05:06 00:00:00", "20230709", "2022-01-01T10:00:00Z")
    for number, day in enumerate(days, start=1):
        path = write_raster(
            tmp_path / f"{number}.tif", np.full_like(pixels, number), transform
        )
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=day)
    scene = open_scene(tmp_path, SceneOptions(mosaic="newest"))
    assert (scene.read(scene.window, (0,))[0] == 2).all()
    write_raster(tmp_path / "4.tif", pixels, transform)
    with pytest.raises(SceneError, match=r"4\.tif does not say when it was acquired"):
        open_scene(tmp_path, SceneOptions(mosaic="newest"))


def test_the_fullest_member_counts(tmp_path):
    _, transform, _ = sample((0, 20), (0, 30))
    for number, empty in ((1, 25), (2, 5), (3, 10)):
        pixels = np.full((3, 20, 30), number, np.uint16)
        pixels[:, :, :empty] = 0
        write_raster(tmp_path / f"{number}.tif", pixels, transform)
    scene = open_scene(tmp_path, SceneOptions(mosaic="least-nodata"))
    pixels, valid = scene.read(scene.window, (0,))
    assert (pixels[0][valid] == 2).all()
    assert valid[0].tolist() == [False] * 5 + [True] * 25


def test_gaps_between_members_are_not_valid(tmp_path):
    pixels, transform, _ = sample((0, 20), (0, 30))
    write_raster(tmp_path / "a.tif", pixels, transform)
    far = transform @ Affine.translation(50, 40)
    write_raster(tmp_path / "b.tif", pixels, far)
    scene = open_scene(tmp_path)
    read, valid = scene.read(scene.window, (0, 1, 2))
    assert valid.shape == (60, 80)
    assert (valid[:20, :30].all(), valid[40:, 50:].all(), valid.sum()) == (1, 1, 1200)
    assert not read[:, ~valid].any()


def test_bands_in_another_order_are_known_by_their_names(tmp_path):
    pixels, transform, names = sample((0, 20), (0, 30))
    write_raster(tmp_path / "a.tif", pixels, transform, names=names)
    beside = transform @ Affine.translation(30, 0)
    write_raster(tmp_path / "b.tif", pixels[::-1], beside, names=names[::-1])
    read, _ = open_scene(tmp_path).read(Window(0, 0, 20, 60), (0, 1, 2))
    assert np.array_equal(read, np.concatenate([pixels, pixels], axis=2))


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    pixels, transform, names = sample((0, 20), (0, 30))

    def refused(*, match, changed=pixels, to=transform, **other):
        write_raster(tmp_path / "a.tif", pixels, transform, names=names)
        write_raster(tmp_path / "b.tif", changed, to, **{"names": names, **other})
        with pytest.raises(SceneError, match=match):
            open_scene(tmp_path)

    refused(changed=pixels[:2], match=r"b\.tif has 2 bands, but .*a\.tif has 3")
    refused(changed=pixels.astype(np.float32), match=r"b\.tif holds float32, but")
    refused(names=["B02", "B03", "NDVI"], match=r"has the bands B02, B03, NDVI, but")
    refused(
        crs="EPSG:32632",
        match=r"not lie on one grid: 1 in EPSG:32633 with pixels of 10 metre.*"
        r"1 in EPSG:32632.*b\.tif.*`crs` and `resolution`",
    )
    refused(to=transform @ Affine.scale(2), match="pixels of 20 metre")
    refused(to=transform @ Affine.translation(0.4, 0), match="one corner at 330004")


def test_a_broken_member_is_named_or_left_out(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "member_2_3.tif").write_bytes(b"II*\0 and then nothing")
    with pytest.raises(
        SceneError,
        match=r"member_2_3\.tif cannot be opened.*; `skip_unreadable` leaves",
    ):
        open_scene(broken)
    scene = open_scene(broken, SceneOptions(skip_unreadable=True))
    assert len(scene.members) == 59
    assert scene.warnings[0].startswith("left out: ")
    assert "member_2_3.tif" in scene.warnings[0]


@pytest.mark.parametrize(
    ("named", "match"),
    [
        ([], "no scene is given"),
        (["empty"], r"the folder .*empty holds no raster"),
        (["*.tif"], r"no file matches .*\*\.tif"),
        (["empty.txt"], "lists no raster; write a path a line"),
        (["list.txt"], r"list\.txt lists gone\.tif, which does not exist"),
        (["ftp://host/scene.tif"], "ftp:// is no kind of address"),
    ],
)
def test_what_is_named_must_be_there(tmp_path, monkeypatch, named, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "list.txt").write_text("gone.tif\n")
    with pytest.raises(SceneError, match=match):
        open_scene(named)


def test_headers_are_read_once_and_again_when_files_change(folder, cache, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    paths, read, steps = [str(p) for p in sorted(copy.iterdir())], [], []

    def reading(path):
        read.append(path)
        return index_room.read_header(path)

    first = read_headers(paths, reading, steps.append)
    assert len(read) == 60
    assert [(step.name, step.done, step.total) for step in steps] == [("index", 50, 60)]
    assert len(list((cache / "headers").glob("*.json"))) == 1
    read.clear()
    assert read_headers(paths, reading) == first
    assert read == []
    os.utime(paths[7], ns=(1, 1))
    read_headers(paths, reading)
    assert read == [paths[7]]
    next((cache / "headers").glob("*.json")).write_text('{"format": 1, "files": 7}')
    assert read_headers(paths, reading) == read_headers(paths)


def test_any_changed_member_is_another_scene(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = open_scene(copy).identity()
    with rasterio.open(copy / "member_5_9.tif", "r+") as dataset:
        dataset.update_tags(NOTE="changed")
    after = open_scene(copy).identity()
    differing = {name for name, value in after.items() if value != before[name]}
    assert "scene modified" in differing
    assert "scene grid" not in differing


def test_a_picture_of_a_mosaic_shows_its_members(folder):
    scene = open_scene(folder)
    picture = scene.picture(Window(6, 12, 360, 600), (0, 1), (36, 60))
    whole, valid = scene.read(Window(6, 12, 360, 600), (0, 1))
    coarse = whole.reshape(2, 36, 10, 60, 10).mean(axis=(2, 4))
    assert picture.shape == coarse.shape
    sure = valid.reshape(36, 10, 60, 10).all(axis=(1, 3))
    assert not picture.mask[:, sure].any()
    assert np.median(np.abs(picture.data - coarse)[:, sure]) < 30
