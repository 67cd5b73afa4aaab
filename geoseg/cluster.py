"""Where tasks run: dask clients, and workers that prove themselves before a run.

A worker gets the job once, when a run begins or, where it joins late or comes back
after a crash, when it starts. It proves at once that it has the same libraries, sees
the same scene and can write the run directory; one that does not is refused by name
before anything is inferred.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

import rasterio
from distributed import Client, LocalCluster, Security, WorkerPlugin, get_worker
from distributed.comm.core import connect
from distributed.core import send_recv

from geoseg.errors import ClusterError, GeosegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from distributed import Future, Worker

    from geoseg.tasks import Job

THREADS = 3
"""Tasks of one process at a time: one reads, one has the device, one writes."""
_ANSWER_S = 10
"""Seconds that a scheduler has to answer."""
_RETRIES = 2
"""How often dask tries a failed task again, elsewhere where it can."""
_SAME = ("geoseg", "numpy", "rasterio", "torch")
"""The libraries that every worker has in the client's version, beside GDAL."""

Given = TypeVarTuple("Given")
Item = TypeVar("Item")
Made = TypeVar("Made")
Result = TypeVar("Result")


@contextmanager
def open_client(workers: int = 0, scheduler: str | None = None) -> Iterator[Client]:
    """Open a dask client.

    Args:
        workers: Worker processes to start on this machine; with 0 everything runs
            in this process, which saves the seconds that they take to start.
        scheduler: The address of a running scheduler, instead of either.

    Raises:
        ClusterError: The scheduler does not answer, or has no worker.

    """
    if scheduler is not None:
        with _remote_client(scheduler) as client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=max(workers, 1),
            threads_per_worker=THREADS,
            processes=workers > 0,
            dashboard_address="127.0.0.1:0",  # any free port, for this machine only
            scheduler_kwargs={"dashboard": workers > 0},
            silence_logs=logging.CRITICAL,  # what fails is raised, in our words
            memory_limit=0,  # the window bounds memory; dask need not pause us
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _remote_client(address: str) -> Iterator[Client]:
    """Open the client of a scheduler, once it is certain that there is one.

    A `Client` that fails to connect is garbage with an event loop. Where it is
    collected in the thread that starts the next client's loop, both wait for one lock
    until that start fails. So none is made that is bound to fail.
    """
    _check_scheduler(address)
    try:
        client = Client(address, timeout=_ANSWER_S)
    except (OSError, ValueError) as error:
        raise _silence(address) from error
    with client:
        if not client.nthreads():
            raise ClusterError(
                f"the scheduler at {address} has no worker; start some with "
                f"'dask worker {address}'"
            )
        yield client


def _check_scheduler(address: str) -> None:
    """Ask who is at an address."""
    try:
        with ThreadPoolExecutor(1) as thread:  # a caller may have a loop of its own
            question = asyncio.wait_for(_identity(address), _ANSWER_S)
            identity = thread.submit(asyncio.run, question).result()
    except Exception as error:  # malformed, refused, silent, or no dask: all are no
        raise _silence(address) from error
    if "workers" not in identity:
        raise ClusterError(
            f"at {address} is no dask scheduler but a {identity['type'].lower()}; give "
            f"the address that 'dask scheduler' shows"
        )


async def _identity(address: str) -> dict[str, Any]:
    arguments = Security().get_connection_args("client")
    comm = await connect(address, timeout=_ANSWER_S, **arguments)
    try:
        identity: dict[str, Any] = await send_recv(comm, op="identity")
    finally:
        comm.abort()
    return identity


def _silence(address: str) -> ClusterError:
    return ClusterError(
        f"no dask scheduler answers at {address} within {_ANSWER_S} s; check the "
        f"address, for instance tcp://10.0.0.1:8786, and that it runs"
    )


def map_on(
    client: Client,
) -> Callable[[Callable[[Item], Made], Iterable[Item]], list[Made]]:
    """Give a function that does what `map` does, on the workers of a client."""

    def spread(function: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        futures = client.map(function, list(items), pure=False, retries=_RETRIES)
        made: list[Made] = client.gather(futures)
        return made

    return spread


class _Crew(WorkerPlugin):
    """What a worker keeps of a run: the job, and what it lacks for it."""

    def __init__(self, job: Job, versions: Mapping[str, str]) -> None:
        """Carry a job to the workers."""
        self.job = job
        self.lack = ""
        self._versions = versions

    def setup(self, worker: Worker) -> None:
        """Prove, on the worker, that it can do the job."""
        self.lack = _other_versions(library_versions(), self._versions)
        if self.lack:
            return
        try:
            self.job.source.check()
            self.job.store.check()
        except (GeosegError, OSError) as error:
            self.lack = f"{error} (seen from {worker.address})"


class Enlisted:
    """The workers of a client, ready for a job: use `enlist`."""

    def __init__(self, client: Client, name: str) -> None:
        """Take workers that carry the job under a name."""
        self._client, self._name = client, name
        self._submitted = count()

    @property
    def count(self) -> int:
        """How many workers there are now; 0 where the scheduler is gone."""
        running = self._client.status == "running"
        return len(self._client.nthreads()) if running else 0

    def submit(
        self,
        task: Callable[[Job, *Given], Result],
        *args: *Given,
        retries: int,
    ) -> Future[Result]:
        """Hand a task to some worker; a failed one is tried again."""
        # Keys of one name are one group to dask, which keeps every group of a run.
        key = (f"{task.__name__}-{self._name}", next(self._submitted))
        return self._client.submit(
            _work, self._name, task, *args, key=key, retries=retries
        )


@contextmanager
def enlist(client: Client, job: Job) -> Iterator[Enlisted]:
    """Give a job to all workers of a client, once they have proved themselves.

    Raises:
        ClusterError: A worker lacks something; the message names both.

    """
    versions = library_versions()
    _refuse(
        {
            worker: str(found)
            if isinstance(found, BaseException)
            else _other_versions(found, versions)
            for worker, found in client.run(library_versions, on_error="return").items()
        }
    )
    name = f"geoseg-{secrets.token_hex(8)}"
    client.register_plugin(_Crew(job, versions), name=name)
    try:
        _refuse(client.run(_lack, name))
        yield Enlisted(client, name)
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(name)


def library_versions() -> dict[str, str]:
    """Name the versions that decide what a pixel becomes."""
    found = {name: version(name) for name in _SAME}
    return {**found, "GDAL": rasterio.__gdal_version__}


def _other_versions(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    differences = [
        f"{name} {found.get(name, 'nothing')} instead of {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    return f"it has {', '.join(differences)}" if differences else ""


def _refuse(lacks: Mapping[str, str]) -> None:
    """Raise an error if any worker lacks anything."""
    for worker, lack in sorted(lacks.items()):
        if lack:
            raise ClusterError(
                f"worker {worker} cannot take part: {lack}; every worker needs the "
                f"same libraries, the scene and the run directory"
            )


def _lack(name: str, dask_worker: Worker) -> str:
    """Tell, on a worker, what it lacks. dask fills in the worker, by its name."""
    return cast("_Crew", dask_worker.plugins[name]).lack


def _work(name: str, task: Callable[[Job, *Given], Result], *args: *Given) -> Result:
    """Do a task on a worker."""
    worker = get_worker()
    crew = cast("_Crew", worker.plugins[name])
    _refuse({worker.address: crew.lack})
    return task(crew.job, *args)
