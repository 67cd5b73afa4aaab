"""A dask client of whatever kind was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import dask
from distributed import Client

from geoseg.run.cluster.gpus import gpu_cluster
from geoseg.run.cluster.local import processes_cluster, threads_cluster
from geoseg.run.cluster.scheduler import remote_client
from geoseg.run.tasks import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from distributed import SpecCluster

_RETRIES = 2
"""How often dask tries a failed task again, elsewhere where it can."""

_LEAN = {"distributed.worker.profile.enabled": False}
"""No samples of every thread, 100 a second, which dask would keep for an hour."""

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
    with (
        dask.config.set(_LEAN),
        _cluster(workers, threads, device) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _cluster(workers: int, threads: int, device: str) -> SpecCluster:
    if not workers:
        return threads_cluster(threads)
    if device == "cuda":
        return gpu_cluster(workers, threads)
    return processes_cluster([{}] * workers, threads)


def dashboard_of(client: Client) -> str:
    """Tell where dask's dashboard is; an empty text where there is none."""
    services = client.scheduler_info()["services"]
    return str(client.dashboard_link) if "dashboard" in services else ""


def map_on(
    client: Client,
) -> Callable[[Callable[[Item], Made], Iterable[Item]], list[Made]]:
    """Give a function that does what `map` does, on the workers of a client."""

    def spread(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        futures = client.map(function, list(items), pure=False, retries=_RETRIES)
        made: list[Made] = client.gather(futures)
        return made

    return spread
