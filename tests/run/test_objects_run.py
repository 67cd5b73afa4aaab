"""Whole runs whose run directory is on an object store: killed, resumed, refused."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from distributed import LocalCluster
from fakes import ContextPredictor
from jobs import do
from killed_run import SlowPredictor, killed_job
from object_store import keys_refused, make_bucket, object_store
from paths import ROOT, SUPPORT

from geoseg.cli import main
from geoseg.run.cluster import open_client
from geoseg.run.engine import run
from geoseg.run.journal.journal import open_journal
from geoseg.storage.bucket import Bucket

pytestmark = pytest.mark.slow  # worker processes take seconds to start

SCENE = ROOT / "sample_aoi" / "scene.tif"


@pytest.fixture(scope="module")
def processes():
    """Two worker processes that were started without any settings for the store."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=3, processes=True, dashboard_address=":0"
        ) as cluster,
        open_client(scheduler=cluster.scheduler_address) as client,
    ):
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def server(processes):  # noqa: ARG001  # they are there before
    with object_store() as settings, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        make_bucket(settings, "runs")
        yield settings


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    with open_client() as client:
        return do(
            killed_job(tmp_path_factory.mktemp("run"), ContextPredictor()), client
        )[0]


def settings_of():
    return os.getpid(), sorted(os.environ)


@pytest.mark.usefixtures("server")
def test_settings_travel_and_a_worker_that_is_killed_does_not_show(processes, expected):
    url = "s3://runs/travel"
    job = killed_job(url, SlowPredictor(), block=4)
    victims = iter(processes.run(os.getpid).values())

    def kill_one(progress):
        if progress.blocks == 5:
            os.kill(next(victims), signal.SIGKILL)

    with open_journal(url, job.plan.identity) as journal:
        run(job, journal, processes, kill_one)
    found, progress = do(job, processes)
    assert progress.resumed == progress.blocks
    assert np.array_equal(found, expected)
    survivor = next(victims)
    settings = dict(processes.run(settings_of).values())
    assert "AWS_ENDPOINT_URL" not in settings[survivor], "they leave with the run"


@pytest.mark.usefixtures("server")
def test_a_run_on_an_object_store_killed_often_ends_with_the_same_bytes(
    expected, tmp_path
):
    script = SUPPORT.joinpath("killed_run.py")
    url = "s3://runs/killed"
    command = [sys.executable, str(script), str(tmp_path), "4", "1", url]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert np.array_equal(expected, np.load(tmp_path / "map.npy"))
    with open_journal(url, {"test": "1"}) as journal:
        tasks = [entry.task for entry in journal.entries()]
    assert len(tasks) == len(set(tasks))


def flags_of(*arguments):
    tiles = ["--tile", "64", "--overlap", "32", "--block", "2"]
    return ["segment", *map(str, arguments), *tiles]


def segment(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "geoseg", *flags_of(*arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_killed_command_with_workers_is_resumed_to_the_same_bytes(server, tmp_path):
    scene = tmp_path / "small.tif"
    with rasterio.open(SCENE) as dataset:
        profile = {**dataset.profile, "height": 100, "width": 130}
        window = rasterio.windows.Window(0, 0, 130, 100)
        with rasterio.open(scene, "w", **profile) as copy:
            copy.write(dataset.read(window=window))
            copy.descriptions = dataset.descriptions
    url = "s3://runs/command"
    flags = [scene, "--workers", "2", "--run-dir", url, "-o", tmp_path / "out"]
    with segment(*flags, start_new_session=True) as begun:
        while begun.poll() is None and not list(Bucket(url).list("journal")):
            time.sleep(0.05)
        os.killpg(begun.pid, signal.SIGKILL)
    assert not (tmp_path / "out" / "landcover.tif").exists()
    with segment(*flags) as resumed:
        _, message = resumed.communicate()
    assert resumed.returncode == 0, message
    assert "resuming: " in message
    plain = CliRunner().invoke(main, flags_of(scene, "-o", tmp_path / "plain"))
    assert plain.exit_code == 0, plain.stderr
    maps = [tmp_path / name / "landcover.tif" for name in ("out", "plain")]
    assert maps[0].read_bytes() == maps[1].read_bytes()
    assert not list(Bucket(url).list()), "the run directory is gone"
    report = (tmp_path / "out" / "run.json").read_text()
    assert json.loads(report)["settings"]["run_dir"] == url
    assert server["AWS_SECRET_ACCESS_KEY"] not in report + message
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.name for path in (tmp_path / "plain").iterdir()
    }


@pytest.mark.parametrize("bucket", ["nowhere", "runs"])
def test_a_store_that_cannot_be_used_is_one_sentence(server, tmp_path, bucket):
    url = f"s3://{bucket}/refused"
    flags = flags_of(SCENE, "--run-dir", url, "-o", tmp_path / "out")
    with keys_refused(server) if bucket == "runs" else nullcontext():
        refused = CliRunner().invoke(main, flags)
    assert refused.exit_code == 2, refused.stderr
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"geoseg: {url} cannot be")
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
