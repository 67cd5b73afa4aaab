"""A dask client of whatever kind was asked for."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

import dask
from distributed import Client, LocalCluster

from geoseg.run.cluster.gpus import DASHBOARD, gpu_cluster
from geoseg.run.cluster.scheduler import remote_client
from geoseg.run.tasks import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_RETRIES = 2
"""How often dask tries a failed task again, elsewhere where it can."""

_LEAN = {"distributed.worker.profile.enabled": False}
"""No samples of every thread, 100 a second, which dask would keep for an hour."""

_HAS_BOKEH = find_spec("bokeh") is not None
"""Without it dask has no dashboard."""

Item = TypeVar("Item")
Made = TypeVar("Made")


@contextmanager
def open_client(
    workers: int = 0,
    scheduler: str | None = None,
    *,
    device: str = "cpu",
    threads: int = THREADS,
) -> Iterator[Client]:
    """Open a dask client.

    Args:
        workers: Worker processes to start on this machine; with 0 everything runs
            in this process, which saves the seconds that they take to start.
        scheduler: The address of a running scheduler, instead of either.
        device: What workers compute on; each gets a GPU of its own for ``cuda``.
        threads: Tasks of one process at a time; a running scheduler's workers have
            threads of their own.

    Raises:
        ClusterError: The scheduler does not answer, or has no worker, or there are
            more workers than GPUs.

    """
    if scheduler is not None:
        with remote_client(scheduler) as client:
            yield client
        return
    pinned = workers > 0 and device == "cuda"
    with (
        dask.config.set(_LEAN),
        (gpu_cluster if pinned else _local_cluster)(workers, threads) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _local_cluster(workers: int, threads: int) -> LocalCluster:
    return LocalCluster(
        n_workers=max(workers, 1),
        threads_per_worker=threads,
        processes=workers > 0,
        dashboard_address=DASHBOARD,
        scheduler_kwargs={"dashboard": workers > 0},
        silence_logs=logging.CRITICAL,  # what fails is raised, in our words
        memory_limit=0,  # the window bounds memory; dask need not pause us
    )


def dashboard_of(client: Client) -> str:
    """Tell where dask's dashboard is; an empty text where there is none."""
    information = client.scheduler_info()
    own = client.cluster is not None
    if own and (information["address"].startswith("inproc") or not _HAS_BOKEH):
        return ""
    return str(client.dashboard_link) if "dashboard" in information["services"] else ""


def map_on(
    client: Client,
) -> Callable[[Callable[[Item], Made], Iterable[Item]], list[Made]]:
    """Give a function that does what `map` does, on the workers of a client."""

    def spread(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        futures = client.map(function, list(items), pure=False, retries=_RETRIES)
        made: list[Made] = client.gather(futures)
        return made

    return spread
