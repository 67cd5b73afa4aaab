"""Files that change while they are read: never a map of both."""

import os
import pickle
import shutil

import numpy as np
import pytest
import rasterio
from members import sample, write_raster
from replaced import WAYS
from web import served

import geoseg
from geoseg.errors import ChangedError
from geoseg.geo.windows import Window
from geoseg.scene import open_scene
from geoseg.scene.statistics import measure
from geoseg.storage import fingerprint

CORNER = Window(0, 0, 30, 40)


@pytest.fixture
def pair(make_raster):
    """Give a raster, and another one of the same layout."""
    values = np.random.default_rng(1).integers(1, 4000, (3, 37, 53), np.uint16)
    return make_raster(), make_raster("other.tif", values=values)


@pytest.mark.parametrize("change", WAYS, ids=lambda f: f.__name__)
def test_a_file_that_is_another_one_by_now_is_noticed_as_it_is_read(pair, change):
    path, other = pair
    scene = open_scene(path)
    before, _ = scene.read(CORNER, (0, 1, 2))
    again, _ = scene.read(CORNER, (0, 1, 2))
    assert np.array_equal(before, again)
    scene.check_unchanged()
    at_a_worker = pickle.dumps(scene)
    pickle.loads(at_a_worker).check()  # noqa: S301  # our own
    change(path, other)
    with pytest.raises((ChangedError, geoseg.InputError), match=r"scene\.tif"):
        pickle.loads(at_a_worker).check()  # noqa: S301  # the same
    with pytest.raises(ChangedError, match=r"scene\.tif is not what it was"):
        scene.check_unchanged()
    with pytest.raises((ChangedError, geoseg.InputError), match=r"scene\.tif"):
        scene.read(CORNER, (0, 1, 2))


def test_one_member_of_many_is_named(tmp_path):
    pixels, transform, names = sample((0, 64), (0, 128))
    for number, col in enumerate((0, 64)):
        moved = transform @ transform.translation(col, 0)
        part = pixels[:, :, col : col + 64]
        write_raster(tmp_path / f"{number}.tif", part, moved, names=names)
    scene = open_scene([tmp_path / "0.tif", tmp_path / "1.tif"])
    (tmp_path / "1.tif").touch()
    with pytest.raises(ChangedError, match=r"1\.tif is not what it was"):
        scene.check_unchanged()


def test_a_file_of_the_disk_is_looked_at_once_for_a_window(pair, monkeypatch):
    looks, look = [], fingerprint._is_same  # noqa: SLF001  # counted

    def counted(path, known, *, wholly):
        looks.append(path)
        return look(path, known, wholly=wholly)

    monkeypatch.setattr(fingerprint, "_is_same", counted)
    scene = open_scene(pair[0])
    scene.read(CORNER, (0,))
    scene.check_unchanged(CORNER)
    assert looks == [pair[0]]
    scene.check_unchanged()
    assert looks == [pair[0]] * 2


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


def test_a_mask_beside_a_file_that_changed_makes_another_scene(make_raster):
    values = np.arange(1, 33, dtype=np.uint16).repeat(32).reshape(1, 32, 32)
    path = make_raster(values=values, nodata=None, tiled=False)
    identities, means = [open_scene(path).identity()], [_mean(path)]
    for rows in (8, 16):
        _mask(path, rows)
        identities.append(open_scene(path).identity())
        means.append(_mean(path))
    assert "scene masks" not in identities[0]
    assert identities[1]["scene masks"] != identities[2]["scene masks"]
    assert means == [16.5, 4.5, 8.5]


def _mean(path):
    return measure(open_scene(path), [0])[0].mean


def _mask(path, rows):
    """Say in a file beside a raster that so many of its rows have data."""
    path.with_name(f"{path.name}.msk").unlink(missing_ok=True)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(path, "r+") as dataset,
    ):
        mask = np.zeros(dataset.shape, np.uint8)
        mask[:rows] = 255
        dataset.write_mask(mask)
    os.utime(path, ns=(1, 1))
    assert path.with_name(f"{path.name}.msk").exists()
