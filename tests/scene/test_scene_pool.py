"""Files that lie idle: taken by any thread, one at a time, and not too many of them."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from members import cut_members, sample, write_raster

from geoseg.geo.windows import Window
from geoseg.scene import open_scene
from geoseg.scene.files.datasets import opened
from geoseg.scene.files.pool import DatasetPool, weight
from geoseg.storage.fingerprint import Fingerprint


@pytest.fixture
def files(tmp_path):
    """Give four open rasters of one tile."""
    pixels, transform, _ = sample((0, 20), (0, 30))
    for number in range(4):
        write_raster(tmp_path / f"{number}.tif", pixels, transform)
    opened = [rasterio.open(path) for path in sorted(tmp_path.iterdir())]
    yield opened
    for dataset in opened:
        dataset.close()


def test_a_file_is_given_to_one_at_a_time(files):
    pool = DatasetPool()
    assert pool.take("a") is None
    pool.give("a", files[0])
    pool.give("a", files[1])
    with ThreadPoolExecutor(1) as other:
        assert other.submit(pool.take, "a").result() is files[1]
    assert pool.take("a") is files[0]
    assert pool.take("a") is None


def test_what_was_not_used_for_longest_is_closed(files):
    pool = DatasetPool(most=2)
    for name, dataset in zip("abc", files, strict=False):
        pool.give(name, dataset)
    assert [dataset.closed for dataset in files[:3]] == [True, False, False]
    pool.give("b", pool.take("b"))
    pool.give("d", files[3])
    assert [dataset.closed for dataset in files] == [True, False, True, False]


def test_no_more_memory_is_kept_than_is_allowed(files):
    pool = DatasetPool(most_bytes=2 * weight(files[0]))
    for name, dataset in zip("abc", files, strict=False):
        pool.give(name, dataset)
    assert [dataset.closed for dataset in files[:3]] == [True, False, False]


def test_a_forked_process_takes_no_file_of_its_parent(files, monkeypatch):
    pool = DatasetPool()
    pool.give("a", files[0])
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        assert pool.take("a") is None
    assert pool.take("a") is files[0]


def test_many_threads_read_what_one_does(tmp_path):
    scene = open_scene(cut_members(tmp_path / "members", rows=3, cols=4))
    windows = [Window(row, col, 70, 90) for row in (0, 60, 100) for col in (0, 70, 160)]
    expected = [scene.read(window, (0, 1)) for window in windows]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda w: scene.read(w, (0, 1)), windows * 5))
    for read, known in zip(found, expected * 5, strict=True):
        for part, there in zip(read, known, strict=True):
            assert np.array_equal(part, there)


def test_a_file_that_is_kept_open_belongs_to_what_was_seen_of_it(tmp_path):
    pixels, transform, _ = sample((0, 20), (0, 30))
    write_raster(tmp_path / "a.tif", pixels, transform)
    path = str(tmp_path / "a.tif")
    once, later = (Fingerprint(path, 9, etag, "") for etag in ("a", "b"))
    with opened(path, "GTiff", once) as first:
        pass
    with opened(path, "GTiff", once) as again:
        assert again is first
    with opened(path, "GTiff", later) as other:
        assert other is not first
