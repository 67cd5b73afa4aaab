"""Processes that die, disks that fill, files that rot: same bytes, or a sentence."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from damage import damage_unnoticed
from distributed import Client, LocalCluster
from fakes import ArraySource, ContextPredictor
from jobs import do, make_job, make_scene, whole
from killed_run import SlowPredictor, killed_job
from paths import SUPPORT
from waits import shorten

import geoseg
from geoseg.errors import BlockError, ClusterError, DiskError, RunError
from geoseg.run.cluster import open_client
from geoseg.run.engine import run
from geoseg.run.journal.journal import open_journal
from geoseg.scene import open_scene

pytestmark = pytest.mark.slow  # worker processes take seconds to start


@pytest.fixture(scope="module")
def here():
    with open_client() as client:
        yield client


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes with a scheduler, as a stranger would have started them."""
    with LocalCluster(
        n_workers=2, threads_per_worker=3, processes=True, dashboard_address=":0"
    ) as opened:
        yield opened


@pytest.fixture
def processes(cluster):
    with open_client(scheduler=cluster.scheduler_address) as client:
        client.wait_for_workers(2)
        yield client


def test_worker_processes_never_show(here, processes, tmp_path):
    expected, _ = do(killed_job(tmp_path / "0", ContextPredictor()), here)
    two, _ = do(killed_job(tmp_path / "2", ContextPredictor()), processes)
    assert np.array_equal(expected, two)
    for workers in (1, 4):
        with open_client(workers) as client:
            job = killed_job(tmp_path / f"{workers}", ContextPredictor())
            assert np.array_equal(expected, do(job, client)[0])


def test_a_model_fitted_to_pixels_gives_the_same_bytes_on_two_workers(
    cluster, make_raster, tmp_path
):
    rng = np.random.default_rng(0)
    truth = np.arange(90)[:, None] // 10 % 3 + np.zeros((1, 110), int)
    values = truth[None] * 60 + rng.integers(1, 90, (2, 90, 110))
    scene = make_raster(values=values.astype(np.uint8), bands=("B04", "B08"))
    marks = np.full(truth.shape, 255)
    marks[4::5, 3::9] = truth[4::5, 3::9]
    labels = make_raster("labels.tif", values=marks[None].astype(np.uint8), nodata=255)
    chosen = geoseg.TrainOptions(architecture="context", head="forest")
    geoseg.train([scene], labels, tmp_path / "model", options=chosen)
    made = []
    for number, (block, scheduler) in enumerate(
        ((1, None), (3, None), (2, cluster.scheduler_address))
    ):
        options = geoseg.SegmentOptions(
            model=tmp_path / "model", tile=40, block=block, scheduler=scheduler,
            formats="none",
        )  # fmt: skip
        folder = tmp_path / f"{number}"
        geoseg.segment(scene, folder, options=options)
        names = ("landcover.tif", "confidence.tif")
        made.append([(folder / name).read_bytes() for name in names])
    assert made[0] == made[1], "blocks never show"
    assert made[0] == made[2], "nor do workers"


@dataclass
class UnsteadyPredictor(ContextPredictor):
    """Takes its time as it likes, so blocks finish in any order."""

    seed: int = 0

    def __call__(self, pixels, valid):
        time.sleep(hash((self.seed, pixels.tobytes())) % 10 / 500)
        return super().__call__(pixels, valid)


def test_the_order_in_which_blocks_finish_never_shows(here, processes, tmp_path):
    expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    for seed in range(2):
        job = killed_job(tmp_path / f"{seed}", UnsteadyPredictor(seed=seed))
        assert np.array_equal(expected, do(job, processes)[0])


def test_a_worker_that_is_killed_is_reported_and_does_not_show(
    here, processes, tmp_path, monkeypatch
):
    expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    job = killed_job(tmp_path / "b", SlowPredictor())
    victims = iter(processes.run(os.getpid).values())

    def kill_one(progress):
        if progress.blocks == 5:
            os.kill(next(victims), signal.SIGKILL)

    shorten(monkeypatch, another_look_at_workers=0.0)
    address, *_ = processes.run(os.getpid)
    with open_journal(job.store.directory, job.plan.identity) as journal:
        progress = run(job, journal, processes, kill_one)
    assert next(victims, None) is not None
    assert f"worker {address} was lost; what it was about is done again" in str(
        progress.lost
    )
    assert progress.tiles == job.plan.tiles
    resumed, progress = do(job, here)
    assert progress.resumed == progress.blocks
    assert np.array_equal(expected, resumed)


def test_without_any_worker_the_run_stops_and_can_be_resumed(
    here, tmp_path, monkeypatch
):
    expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    shorten(monkeypatch, no_workers=0.3)
    job = killed_job(tmp_path / "b", SlowPredictor())
    with LocalCluster(n_workers=1, processes=True, dashboard_address=":0") as cluster:

        def dismiss(progress):
            if progress.blocks == 3:
                cluster.scale(0)

        with (
            open_client(scheduler=cluster.scheduler_address) as client,
            open_journal(job.store.directory, job.plan.identity) as journal,
            pytest.raises(RunError, match=r"^no worker is left.*carries on"),
        ):
            run(job, journal, client, dismiss)
        with (
            pytest.raises(ClusterError, match="has no worker; start some"),
            open_client(scheduler=cluster.scheduler_address),
        ):
            pass
    resumed, progress = do(job, here)
    assert progress.resumed >= 3
    assert np.array_equal(expected, resumed)


def test_a_run_killed_twenty_times_ends_with_the_same_bytes(here, tmp_path):
    expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    script = SUPPORT.joinpath("killed_run.py")
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path), "20", "1"]
    subprocess.run(command, check=True, env=one_thread)
    assert np.array_equal(expected, np.load(tmp_path / "map.npy"))
    journal = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    tasks = [json.loads(line)["task"] for line in journal]
    assert len(tasks) == len(set(tasks))
    assert not list((tmp_path / "run").glob("*.tmp"))


@pytest.fixture
def mute():
    """A port that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


BAD_ADDRESSES = ["tcp://127.0.0.1:9", "tcp://[", "carrier-pigeon://coop", "tcp://a:b"]


@pytest.mark.parametrize("address", [*BAD_ADDRESSES, "mute"])
def test_a_scheduler_that_does_not_answer_is_refused(address, monkeypatch, mute):
    shorten(monkeypatch, answer_of_scheduler=1)
    with (
        pytest.raises(ClusterError, match="no dask scheduler answers at"),
        open_client(scheduler=mute if address == "mute" else address),
    ):
        pass


def test_a_worker_is_no_scheduler(processes):
    worker = next(iter(processes.nthreads()))
    with (
        pytest.raises(ClusterError, match="is no dask scheduler but a worker"),
        open_client(scheduler=worker),
    ):
        pass


def test_no_client_is_made_that_is_bound_to_fail(monkeypatch):
    """One would hold a lock that the next client's loop needs, were it collected."""
    shorten(monkeypatch, answer_of_scheduler=0.2)
    monkeypatch.setattr(Client, "__init__", None)
    for address in BAD_ADDRESSES:
        with pytest.raises(ClusterError), open_client(scheduler=address):
            pass


@dataclass
class HereSource(ArraySource):
    """A scene that only one process sees."""

    home: int = 0

    def check(self):
        if os.getpid() != self.home:
            raise OSError("scene.tif does not exist")


def test_a_worker_without_the_scene_is_refused_by_name(processes, tmp_path):
    scene = make_scene(1)
    source = HereSource(scene.values, scene.valid, home=os.getpid())
    job = make_job(source, whole(source), ContextPredictor(), tmp_path)
    with pytest.raises(
        ClusterError, match=r"worker tcp://\S+ cannot take part: scene\.tif does not"
    ):
        do(job, processes)


def test_a_worker_that_does_not_share_the_disk_is_refused(processes, tmp_path):
    job = killed_job(tmp_path / "a", ContextPredictor())
    elsewhere = replace(job.store, directory=tmp_path / "elsewhere")
    with (
        open_journal(job.store.directory, job.plan.identity) as journal,
        pytest.raises(ClusterError, match=r"elsewhere is not there.*they share"),
    ):
        run(replace(job, store=elsewhere), journal, processes, lambda _: None)


def test_a_worker_with_another_library_is_refused(processes, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterio.__gdal_version__", "99.1")
    with pytest.raises(ClusterError, match=r"it has GDAL \d\S+ instead of 99\.1"):
        do(killed_job(tmp_path, ContextPredictor()), processes)


@contextmanager
def small_disk(path, size):
    """Mount a file system of a few bytes, where that is allowed."""
    path.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    done = subprocess.run(["mount", *options], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield path
    finally:
        # Lazily: a task of the failed run may still have a file open.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_is_one_sentence_and_a_run_to_resume(here, tmp_path):
    expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    with small_disk(tmp_path / "disk", "300k") as disk:
        job = killed_job(disk / "run", ContextPredictor())
        with pytest.raises(DiskError, match=r"is full.*make room and run the same"):
            do(job, here)
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        resumed, progress = do(job, here)
    assert progress.resumed > 0
    assert np.array_equal(expected, resumed)


def test_a_corrupt_block_of_the_source_is_named_and_the_rest_is_done(
    here, make_raster, tmp_path
):
    values = np.random.default_rng(0).integers(1, 255, (2, 160, 160), np.uint8)
    options = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
    path = make_raster(values=values, bands=("B02", "B03"), **options)
    area = whole(ArraySource(values, np.ones((160, 160), bool)))
    sound_one = make_raster("sound.tif", values=values, bands=("B02", "B03"), **options)
    known, source = open_scene(sound_one), open_scene(path)
    job = make_job(known, area, ContextPredictor(), tmp_path / "a", tile=32)
    expected, _ = do(job, here)
    job = make_job(source, area, ContextPredictor(), tmp_path / "run", tile=32)

    sound, status = path.read_bytes(), path.stat()
    damage_unnoticed(path, len(sound) // 2, 400)
    with pytest.raises(BlockError, match=r"block \d \d failed .*scene\.tif cannot be"):
        do(job, here)
    path.write_bytes(sound)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    resumed, progress = do(job, here)
    assert 0 < progress.resumed < progress.blocks
    assert np.array_equal(expected, resumed)


def replace_directory(job, directory):
    return replace(job, store=replace(job.store, directory=directory))
