"""A dask client of whatever kind was asked for."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import dask
from distributed import Client

from geoseg.errors import ClusterError
from geoseg.run.cluster.gpus import gpu_cluster
from geoseg.run.cluster.local import (
    deaf_loop,
    forking,
    processes_cluster,
    threads_cluster,
)
from geoseg.run.cluster.presence import (
    NO_PATIENCE,
    Patience,
    explaining_lost,
    gathered,
    muttering_hushed,
    patiently,
    threads_of,
)
from geoseg.run.cluster.remote import remote_client
from geoseg.run.job import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from distributed import Future, SpecCluster
    from distributed.utils import LoopRunner

    from geoseg.geo.windowed import BlockMap
    from geoseg.options import Certificates

_RETRIES = 2
"""How often dask tries a failed task again, elsewhere where it can."""

_A_THREAD = 3
"""Items that are under way for each of a cluster's threads: one at work, one that waits
for it, and one that is done and waits for those before it."""

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
    patience: Patience = NO_PATIENCE,
    certificates: Certificates | None = None,
) -> Iterator[Client]:
    """Open a dask client.

    Args:
        workers: Worker processes to start on this machine; with 0 everything runs
            in this process, which saves the seconds that they take to start.
        scheduler: The address of a running scheduler, instead of either.
        device: What workers compute on; each gets a GPU of its own for ``cuda``.
        threads: Tasks of one process at a time; a running scheduler's workers have
            threads of their own.
        patience: How long to wait for a running scheduler's first worker.
        certificates: By what a running scheduler at ``tls://`` knows this client; by
            dask's own settings where None.

    Raises:
        ClusterError: The scheduler does not answer, or has no worker, or there are
            more workers than GPUs.
        RunError: Within it, all workers or the scheduler were lost.

    """
    if scheduler is None and certificates is not None:
        raise ClusterError(
            "certificates are for a cluster that runs; give its `scheduler`, such as "
            "tls://10.0.0.1:8786, or no `tls_ca`, `tls_cert` and `tls_key`"
        )
    if scheduler is None and not workers:
        with _own_client(0, threads, device) as client:
            yield client
        return
    with (
        explaining_lost(),
        muttering_hushed(),
        remote_client(scheduler, patience, certificates)
        if scheduler is not None
        else _own_client(workers, threads, device) as client,
    ):
        yield client


@contextmanager
def _own_client(workers: int, threads: int, device: str) -> Iterator[Client]:
    with (
        dask.config.set(_LEAN),
        _cluster(workers, threads, device) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _cluster(workers: int, threads: int, device: str) -> Iterator[SpecCluster]:
    if not workers:
        with threads_cluster(threads) as cluster:
            yield cluster
        return
    with (
        deaf_loop() as runner,
        forking(device) as environment,
        _started(workers, threads, device, environment, runner) as cluster,
    ):
        yield cluster


def _started(
    workers: int,
    threads: int,
    device: str,
    environment: dict[str, str],
    runner: LoopRunner,
) -> SpecCluster:
    try:
        if device == "cuda":
            return gpu_cluster(workers, threads, runner)
        return processes_cluster([environment] * workers, threads, runner)
    except RuntimeError as error:  # dask's, of a process that ended at once
        raise ClusterError(
            "a worker process ended before it had started: each reads the script that "
            "asks for workers, so put what that does below if __name__ == '__main__':"
        ) from error


def dashboard_of(client: Client) -> str:
    """Return where dask's dashboard is; an empty text where there is none."""
    services = client.scheduler_info()["services"]
    return str(client.dashboard_link) if "dashboard" in services else ""


def map_on(
    client: Client, patience: Patience = NO_PATIENCE
) -> Callable[[Callable[[Item], Made], Iterable[Item]], Iterator[Made]]:
    """Give a function that does what `map` does, on the workers of a client.

    So many items are under way at a time as keep all threads at work: what is made of
    the others waits in nobody's memory.

    Args:
        client: Whose workers.
        patience: How long to wait for a worker where none is left; then what is given
            raises a RunError.

    """

    def result(future: Future[Made]) -> Made:
        made: list[Made] = patiently(
            client, lambda: gathered(client, [future]), patience
        )
        return made[0]

    def spread(
        function: Callable[[Item], Made], items: Iterable[Item]
    ) -> Iterator[Made]:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            if len(waiting) >= _A_THREAD * max(sum(threads_of(client).values()), 1):
                yield result(waiting.popleft())
            future = client.submit(function, item, pure=False, retries=_RETRIES)
            waiting.append(future)
        while waiting:
            yield result(waiting.popleft())

    return spread


@contextmanager
def block_map(
    workers: int = 0,
    scheduler: str | None = None,
    patience: Patience = NO_PATIENCE,
    certificates: Certificates | None = None,
) -> Iterator[BlockMap]:
    """Give what applies a function to all blocks of a map, here or on workers.

    Args:
        workers: Worker processes to start on this machine; 0 for none.
        scheduler: The address of a running scheduler, instead.
        patience: How long to wait for a worker where none is left.
        certificates: By what that scheduler knows this client.

    Yields:
        `map` where there is neither.

    Raises:
        ClusterError: The scheduler does not answer, or has no worker.

    """
    if not workers and scheduler is None and certificates is None:
        yield map
        return
    with open_client(
        workers, scheduler, patience=patience, certificates=certificates
    ) as client:
        yield map_on(client, patience)
