"""Runs on scenes of a web server: ahead of the device, through faults, to the end."""

import threading
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import rasterio
from fakes import ArraySource, ContextPredictor
from jobs import do, make_job, make_scene, whole
from members import sample, write_raster
from web import served

import geoseg
from geoseg.errors import ChangedError
from geoseg.run.cluster import open_client
from geoseg.run.job import THREADS, tasks_at_once
from geoseg.scene.files import datasets
from geoseg.scene.files.pool import DatasetPool

OPTIONS = {"tile": 64, "overlap": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a corner of the sample in two members."""
    folder = tmp_path_factory.mktemp("members")
    pixels, transform, names = sample((0, 130), (0, 200), range(1, 11))
    for number, cols in enumerate((slice(0, 70), slice(70, 200))):
        moved = transform @ transform.translation(cols.start, 0)
        write_raster(folder / f"{number}.tif", pixels[..., cols], moved, names=names)
    return folder


def segment(scene, output, block, **options):
    chosen = geoseg.SegmentOptions(**OPTIONS, block=block)
    geoseg.segment(scene, output, options=chosen, **options)
    maps = [output / f"{name}.tif" for name in ("landcover", "confidence")]
    read = []
    for path in maps:
        with rasterio.open(path) as dataset:
            read.append(dataset.read().tobytes())
    return read


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """Give the map of the files on the disk."""
    return segment(folder, tmp_path_factory.mktemp("known"), block=2)


@pytest.mark.parametrize("fault", [{"delay": 0.03}, {"fail_every": 10}], ids=str)
def test_a_map_of_files_on_a_server_is_that_of_files_on_a_disk(
    folder, expected, tmp_path, fault
):
    with served(folder, **fault) as (address, _):
        scene = [f"{address}/{number}.tif" for number in (0, 1)]
        assert segment(scene, tmp_path / "out", block=1) == expected


def test_a_server_that_fails_midway_is_named_and_the_run_goes_on_later(
    folder, expected, tmp_path, monkeypatch
):
    with served(folder) as (address, server):
        scene = [f"{address}/{number}.tif" for number in (0, 1)]

        def fail(step):
            if step.name == "infer" and step.done:
                server.status = 403
                monkeypatch.setattr(
                    datasets, "_pool", DatasetPool()
                )  # and what GDAL kept

        monkeypatch.setenv("CPL_VSIL_CURL_NON_CACHED", f"/vsicurl/{address}")

        with pytest.raises(geoseg.RunError, match=r"block .* answers 403 \(Forbidden"):
            segment(scene, tmp_path / "out", block=1, on_step=fail)
        server.status = 0
        resumed = []

        def note(step):
            resumed.append(step.resumed_blocks)

        assert segment(scene, tmp_path / "out", block=1, on_step=note) == expected
        assert max(resumed) > 0


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, geoseg.RunError, r"answers 403 \(Forbidden"),
        (404, ChangedError, "is not what it was"),
    ],
)
def test_a_server_that_refuses_does_not_say_that_a_file_changed(
    folder, status, error, words
):
    with served(folder) as (address, server):
        scene = geoseg.open_scene(f"{address}/0.tif")
        scene.check_unchanged()
        server.status = status
        with pytest.raises(error, match=words) as raised:
            scene.check_unchanged()
    assert isinstance(raised.value, ChangedError) == (status == 404)


@dataclass
class FarSource(ArraySource):
    """A source whose answers take a while; it counts how many are on their way."""

    lock: ClassVar = threading.Lock()
    counts: ClassVar = {"now": 0, "most": 0}

    def read(self, window, bands):
        with self.lock:
            self.counts["now"] += 1
            self.counts["most"] = max(self.counts["most"], self.counts["now"])
        time.sleep(0.1)
        with self.lock:
            self.counts["now"] -= 1
        return super().read(window, bands)


def test_blocks_of_a_far_scene_are_read_ahead(tmp_path):
    scene = make_scene(3)
    far = FarSource(scene.values, scene.valid)
    job = make_job(far, whole(far), ContextPredictor(), tmp_path / "far", block=1)
    job = replace(job, at_once=tasks_at_once(remote=True))
    with open_client(threads=job.at_once) as client:
        found, _ = do(job, client)
    assert FarSource.counts["most"] > THREADS
    near = make_job(scene, whole(scene), ContextPredictor(), tmp_path / "near", block=3)
    with open_client() as client:
        known, _ = do(near, client)
    assert np.array_equal(found, known)
