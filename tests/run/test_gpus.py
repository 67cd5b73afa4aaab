"""A worker for each GPU, shown with processes that believe in their GPUs."""

import importlib.util
import os
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster, get_worker
from fakes import CPU, ArraySource, ContextPredictor
from jobs import do, make_job, make_scene, whole

from geoseg.errors import ClusterError
from geoseg.run.cluster import dashboard_of, default_workers, gpus, open_client
from geoseg.run.cluster.presence import workers_info
from geoseg.run.job import THREADS


@pytest.fixture
def _two_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.mark.usefixtures("_two_gpus")
def test_one_worker_for_each_gpu_where_there_are_several(monkeypatch):
    assert default_workers("cuda") == 2
    assert default_workers("cpu") == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b,GPU-a")
    assert gpus.visible_gpus() == ["GPU-b", "GPU-a"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert default_workers("cuda") == 0


@pytest.mark.usefixtures("_two_gpus")
def test_more_workers_than_gpus_are_refused():
    with (
        pytest.raises(ClusterError, match=r"3 workers .* are 2 GPU.*`workers=2` or"),
        open_client(3, device="cuda"),
    ):
        pass


def visible():
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.usefixtures("_two_gpus")
def test_each_worker_sees_one_gpu_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with open_client(2, device="cuda") as client:
        client.wait_for_workers(2)
        assert sorted(client.run(visible).values()) == ["0", "1"]
        workers = workers_info(client).values()
        assert [w["resources"] for w in workers] == [{"GPU": 1}] * 2
        assert {w["nthreads"] for w in workers} == {THREADS}
        if importlib.util.find_spec("bokeh"):
            assert dashboard_of(client).startswith("http://127.0.0.1:")
        else:
            assert dashboard_of(client) == ""
    with open_client() as client:
        assert dashboard_of(client) == ""


@pytest.mark.usefixtures("_two_gpus")
def test_dask_cuda_is_used_where_it_is_installed(monkeypatch):
    module = SimpleNamespace(LocalCUDACluster=lambda **options: options)
    monkeypatch.setitem(sys.modules, "dask_cuda", module)
    options = gpus.gpu_cluster(2, THREADS, SimpleNamespace(loop="a loop"))
    assert options["CUDA_VISIBLE_DEVICES"] == ["0", "1"]
    assert (options["n_workers"], options["resources"]) == (2, {"GPU": 1})
    assert options["loop"] == "a loop"


def on_worker():
    try:
        return get_worker().address
    except ValueError:
        return None


class GpuPredictor(ContextPredictor):
    """Says that it computes on a GPU, but on a worker, where there is none."""

    @property
    def device(self):
        return CPU if on_worker() else torch.device("cuda")

    @device.setter
    def device(self, _):
        """Take what the dataclass gives."""


class ToldSource(ArraySource):
    """Says which worker reads it."""

    readers: ClassVar[set[str]] = set()

    def read(self, window, bands):
        self.readers.add(on_worker())
        return super().read(window, bands)


@pytest.fixture
def three_workers():
    """Two workers with a GPU, and one without, in this process."""
    options = {"processes": False, "threads_per_worker": 3, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=2, resources={"GPU": 1}, **options) as cluster,
        Client(cluster) as client,
    ):
        cluster.worker_spec["plain"] = {
            "cls": cluster.worker_spec[0]["cls"],
            "options": {**cluster.worker_spec[0]["options"], "resources": {}},
        }
        cluster.scale(3)
        client.wait_for_workers(3)
        yield client


def gpu_job(directory):
    scene = make_scene(0, 100, 100)
    source = ToldSource(scene.values, scene.valid)
    return make_job(source, whole(scene), GpuPredictor(), directory)


def test_a_job_on_gpus_goes_to_workers_that_have_one(
    three_workers, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "geoseg.run.cluster.worker_setup.gpu_id",
        lambda dask_worker: dask_worker.address,
    )
    scene = make_scene(0, 100, 100)
    plain = make_job(scene, whole(scene), ContextPredictor(), tmp_path / "plain")
    expected, _ = do(plain, three_workers)
    ToldSource.readers.clear()
    found, _ = do(gpu_job(tmp_path / "gpus"), three_workers)
    assert np.array_equal(found, expected)
    workers = workers_info(three_workers)
    assert ToldSource.readers == {w for w in workers if workers[w]["resources"]}


def test_workers_that_share_a_gpu_are_refused(three_workers, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.run.cluster.worker_setup.gpu_id", lambda: "GPU-a")
    with pytest.raises(
        ClusterError, match=r"inproc\S+ and inproc\S+ would share GPU-a"
    ):
        do(gpu_job(tmp_path), three_workers)
