"""Workers that are lost, stopped or too large, and schedulers that die: a sentence."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest
from class_maps import write as write_map
from distributed import LocalCluster
from fakes import ArraySource, ContextPredictor
from jobs import do, make_job, make_scene, whole
from killed_run import SlowPredictor, killed_job
from waits import shorten

import geoseg
from geoseg.errors import ClusterError, ModelError, RunError
from geoseg.run.cluster import Patience, map_on, open_client
from geoseg.run.cluster.worker_setup import _hear, _Homewards
from geoseg.run.engine import run
from geoseg.run.journal.journal import open_journal

pytestmark = pytest.mark.slow  # worker processes take seconds to start


@pytest.fixture
def threads():
    """One worker in a thread of this process, that can be dismissed."""
    options = {
        "processes": False,
        "threads_per_worker": 2,
        "dashboard_address": "127.0.0.1:0",
    }
    with LocalCluster(n_workers=1, protocol="tcp://", **options) as cluster:
        yield cluster


def slow_double(number):
    time.sleep(0.3)
    return 2 * number


def test_without_any_worker_finishing_stops(threads):
    Timer(1, threads.scale, [0]).start()
    with (
        pytest.raises(RunError, match=r"^no worker is left.*carries on"),
        open_client(scheduler=threads.scheduler_address) as client,
    ):
        list(map_on(client)(slow_double, range(40)))


def test_a_worker_that_comes_back_is_waited_for_and_that_is_said(threads):
    messages = []
    with open_client(scheduler=threads.scheduler_address) as client:
        Timer(0.5, threads.scale, [0]).start()
        Timer(4, threads.scale, [1]).start()
        doubled = map_on(client, Patience(60, messages.append))
        found = list(doubled(slow_double, range(10)))
    assert found == [2 * number for number in range(10)]
    assert messages == ["no worker is there; waiting for one, 60 s at most"]


def test_a_run_waits_for_its_workers_from_the_first_one_on(threads, tmp_path):
    expected = None
    with open_client() as here:
        expected, _ = do(killed_job(tmp_path / "a", ContextPredictor()), here)
    messages = []
    patience = Patience(60, messages.append)
    threads.scale(0)
    job = killed_job(tmp_path / "b", SlowPredictor())

    def dismiss(progress):
        if progress.blocks == 3:
            threads.scale(0)
            Timer(7, threads.scale, [1]).start()

    Timer(2, threads.scale, [1]).start()
    with (
        open_client(scheduler=threads.scheduler_address, patience=patience) as client,
        open_journal(job.store.directory, job.plan.identity) as journal,
    ):
        run(job, journal, client, dismiss, patience=patience)
    with open_client() as here:
        found, progress = do(job, here)
    assert progress.resumed == progress.blocks
    assert np.array_equal(found, expected)
    assert messages == ["no worker is there; waiting for one, 60 s at most"] * 2


def test_measuring_and_sampling_wait_for_workers_too(threads, tmp_path):
    values = np.repeat([[0, 1]], 20, axis=1).repeat(20, axis=0).astype(np.uint8)
    class_map = write_map(tmp_path / "map.tif", values)
    threads.scale(0)
    while threads.scheduler.workers:
        time.sleep(0.05)
    messages = []

    def listen(step):
        if step.note:
            messages.append(step.note)
            threads.scale(1)

    how = {"scheduler": threads.scheduler_address, "wait_for_workers": 60}
    found = geoseg.evaluate(
        class_map,
        class_map,
        options=geoseg.EvaluateOptions(**how),
        on_step=listen,
    )
    assert found.evaluation.accuracy.pixels == values.size
    assert messages == ["no worker is there; waiting for one, 60 s at most"]
    drawn = geoseg.sample_points(
        class_map,
        tmp_path / "points.geojson",
        options=geoseg.SampleOptions(points=10, minimum=2, **how),
    )
    assert sum(each.points for each in drawn) == 10


@dataclass
class TrickySource(ArraySource):
    """A scene that does something to other processes that look at it."""

    home: int = 0
    deed: str = "die"

    def check(self):
        if os.getpid() == self.home:
            return
        if self.deed == "die":
            os._exit(1)
        held = np.ones(1_200_000_000, np.uint8)
        time.sleep(10)
        del held


def tricky_job(directory, deed):
    scene = make_scene(1)
    source = TrickySource(scene.values, scene.valid, home=os.getpid(), deed=deed)
    return make_job(source, whole(source), ContextPredictor(), directory)


def test_a_worker_that_dies_while_it_proves_itself_is_named(tmp_path):
    with (
        pytest.raises(ClusterError, match=r"worker tls://\S+ was lost before the run"),
        open_client(1) as client,
    ):
        do(tricky_job(tmp_path, "die"), client)


def test_a_worker_that_holds_too_much_memory_is_reported_with_its_limit(tmp_path):
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=1, memory_limit="1GB", **options) as cluster,
        pytest.raises(
            ClusterError,
            match=r"its nanny restarted it, for it held 1\.\d GB of the 1\.0 GB of "
            r"memory that it is allowed",
        ),
        open_client(scheduler=cluster.scheduler_address) as client,
    ):
        do(tricky_job(tmp_path, "grow"), client)


def test_a_worker_that_is_stopped_is_named_and_not_waited_for(tmp_path, monkeypatch):
    shorten(monkeypatch, worker_calls=1.5)
    with open_client(2) as client:
        client.wait_for_workers(2)
        victim, process = next(iter(client.run(os.getpid).items()))
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(
                ClusterError, match=rf"worker {victim} gives no sign of life"
            ):
                do(killed_job(tmp_path, ContextPredictor()), client)
        finally:
            os.kill(process, signal.SIGCONT)


@contextmanager
def stopped_in_the_middle(client, workers, monkeypatch):
    """Give what stops a worker once three blocks are done; let it go on at the end."""
    shorten(monkeypatch, stopped_worker=1.5)
    shorten(monkeypatch, no_workers=0.5)
    client.wait_for_workers(workers)
    victim, process = next(iter(client.run(os.getpid).items()))

    def stop(progress):
        if progress.blocks == 3:
            os.kill(process, signal.SIGSTOP)

    try:
        yield stop, victim
    finally:
        os.kill(process, signal.SIGCONT)


def test_what_a_stopped_worker_was_about_is_done_by_the_others(tmp_path, monkeypatch):
    job = killed_job(tmp_path / "b", SlowPredictor())
    with (
        open_client(2) as client,
        stopped_in_the_middle(client, 2, monkeypatch) as (stop, victim),
        open_journal(job.store.directory, job.plan.identity) as journal,
    ):
        progress = run(job, journal, client, stop)
    assert progress.blocks == progress.blocks_planned
    (message,) = progress.lost
    assert f"worker {victim} was lost (it gave no sign of life" in message


def test_a_run_whose_only_worker_is_stopped_ends_with_its_name(tmp_path, monkeypatch):
    job = killed_job(tmp_path, SlowPredictor())
    with (
        pytest.raises(RunError, match=r"gave no sign of life for 1\.5 s") as caught,
        open_client(1) as client,
        stopped_in_the_middle(client, 1, monkeypatch) as (stop, victim),
        open_journal(job.store.directory, job.plan.identity) as journal,
    ):
        run(job, journal, client, stop)
    assert str(caught.value).startswith(f"no worker is left: {victim} gave")


@contextmanager
def cluster_of_processes(folder):
    """Start a scheduler and a worker as people do; give what kills the scheduler."""
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "dask"]
    files = ["--scheduler-file", str(file), "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    local = ["--host", "127.0.0.1"]
    scheduler = subprocess.Popen(
        [*command, "scheduler", *files, *local, "--port", "0"], **quiet
    )
    while not file.exists():
        time.sleep(0.1)
        assert scheduler.poll() is None
    worker = subprocess.Popen([*command, "worker", *files, *local], **quiet)
    try:
        yield json.loads(file.read_text())["address"], scheduler.kill
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def infer_until(kill, client, folder):
    job = killed_job(folder / "run", SlowPredictor())

    def progress_until(progress):
        if progress.blocks == 3:
            kill()

    with open_journal(job.store.directory, job.plan.identity) as journal:
        run(job, journal, client, progress_until)


def finish_until(kill, client, _):
    Timer(1, kill).start()
    list(map_on(client)(slow_double, range(40)))


@pytest.mark.parametrize("work_until", [infer_until, finish_until])
def test_a_scheduler_that_dies_is_one_sentence(work_until, tmp_path, capfd, caplog):
    with (
        cluster_of_processes(tmp_path) as (address, kill),
        pytest.raises(RunError, match=r"the scheduler is gone; start them again"),
        open_client(scheduler=address, patience=Patience(60)) as client,
    ):
        work_until(kill, client, tmp_path)
    assert (capfd.readouterr().err, caplog.records) == ("", [])


@dataclass
class AbsentPredictor(ContextPredictor):
    """A model that only one process reads."""

    home: int = 0

    def check(self):
        if os.getpid() != self.home:
            raise ModelError("model/mlm.json is damaged: it is not JSON")


def test_a_worker_without_the_model_is_refused_by_name(tmp_path):
    job = killed_job(tmp_path, AbsentPredictor(home=os.getpid()))
    with (
        pytest.raises(
            ClusterError, match=r"worker tls://\S+ cannot take part: model/mlm\.json"
        ),
        open_client(1) as client,
    ):
        do(job, client)


def test_a_run_without_workers_speaks_of_none(tmp_path):
    job = killed_job(tmp_path, AbsentPredictor(home=0))
    with open_client() as client, pytest.raises(ClusterError) as caught:
        do(job, client)
    assert str(caught.value) == "model/mlm.json is damaged: it is not JSON"


def test_what_a_worker_waits_for_is_said_to_its_client(caplog):
    sent = []
    worker = SimpleNamespace(log_event=lambda topic, event: sent.append((topic, event)))
    lines = _Homewards(worker, "run")
    said = {"name": "geoseg.waiting", "levelno": logging.INFO, "msg": "%s is silent"}
    lines.emit(logging.makeLogRecord({**said, "args": ("host",)}))
    ((topic, event),) = sent
    assert topic == "run"
    caplog.set_level("INFO", logger="geoseg")
    _hear((0.0, event))  # of this process, where it stands already
    assert caplog.messages == []
    _hear((0.0, {**event, "process": "there 7"}))
    assert caplog.messages == ["host is silent"]
