"""Workers of this machine, closed to everybody else on it.

Whoever can connect to a dask scheduler can run code as the user who started it, and a
port on loopback is open to every user of the machine. So worker processes and their
scheduler speak TLS with a certificate that is made for the run and is in memory only,
and without worker processes no port is opened at all.

A terminal's Ctrl-C goes to all of its processes. Workers do not hear it: the one that
started them does, and ends them.

Where `geoseg.fork_server` has begun, workers are forked from it; elsewhere each begins
as a new Python.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import dask
import distributed.utils
import psutil
from distributed import Nanny, Scheduler, Security, SpecCluster, Worker
from distributed.core import Status
from distributed.utils import LoopRunner

from geoseg.fork_server import OF_DASK, changed_since, deaf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOPBACK = "127.0.0.1"
"""What this machine alone can reach."""
DASHBOARD = f"{LOOPBACK}:0"
"""Any free port, for this machine only."""
_HAS_BOKEH = find_spec("bokeh") is not None
"""Without it dask has no dashboard, and its web server nothing that people look at."""

_LEAVE_S = 0.3
"""Seconds in which a worker takes its leave by itself."""
_DEAF = ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"]
"""What a worker begins with where threads cannot be deaf to signals."""
_METHOD = "distributed.worker.multiprocessing-method"
"""What dask calls the way in which workers begin."""
_PRE_SPAWN = "distributed.nanny.pre-spawn-environ"
"""What dask calls what it sets before."""


class _NoServer:
    """What makes a part of dask's go without a web server."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open no port: dask would, for health checks that nobody makes."""


class _QuietScheduler(_NoServer, Scheduler):
    """A scheduler without a web server."""


class _QuietWorker(_NoServer, Worker):
    """A worker without a web server."""


class _Nanny(Nanny):
    """One that waits for no task of a worker that it ends, nor for one that starts.

    What is finished is on disk, and whatever is not is done again.
    """

    async def close(  # type: ignore[override]  # as dask's own overrides it
        self,
        timeout: float = 5,  # noqa: ASYNC109  # as dask has it
        reason: str = "nanny-close",
    ) -> Literal["OK"]:
        """End the worker, soon in any case, and then this."""
        patience = 0 if self.status == Status.starting else _LEAVE_S
        soon = asyncio.get_running_loop().call_later(patience, self._kill)
        try:
            return await super().close(timeout, reason)
        finally:
            soon.cancel()

    def _kill(self) -> None:
        if self.pid:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(self.pid).kill()


@contextmanager
def deaf_loop() -> Iterator[LoopRunner]:
    """Run an event loop for dask, whose processes do not hear what a terminal says."""
    runner = LoopRunner()
    with deaf():
        runner.start()
    try:
        yield runner
    finally:
        runner.stop()


@contextmanager
def forking(device: str) -> Iterator[dict[str, str]]:
    """Have dask fork workers from the server that has begun, if it is of use.

    Those that are lost are replaced alike, so this is for as long as the cluster is.

    Args:
        device: What workers compute on; those that have a GPU begin by spawn.

    Yields:
        What is to be set in the environment of each worker.

    """
    before = {name: str(value) for name, value in dask.config.get(_PRE_SPAWN).items()}
    usual = dask.config.get(_METHOD) == "spawn" and before == OF_DASK
    changed = changed_since() if usual and device != "cuda" else None
    if changed is None:
        yield {}
        return
    # Or dask would import all libraries that it knows, here, and name them to a server
    # that has begun already.
    vars(distributed.utils)["_forkserver_preload_set"] = True
    with dask.config.set({_METHOD: "forkserver"}):
        yield changed


def threads_cluster(threads: int) -> SpecCluster:
    """Work in threads of this process; nothing listens anywhere.

    Args:
        threads: Tasks at a time.

    """
    inside = {"protocol": "inproc://", "dashboard": False}
    worker = {"cls": _QuietWorker, "options": {**_worker_options(threads), **inside}}
    scheduler = {"cls": _QuietScheduler, "options": {**inside, "port": 0}}
    return SpecCluster({0: worker}, scheduler, silence_logs=logging.CRITICAL)


def processes_cluster(
    environments: Sequence[dict[str, str]],
    threads: int,
    runner: LoopRunner,
    **options: object,
) -> SpecCluster:
    """Start worker processes that nobody else can reach.

    Args:
        environments: What is set in the environment of each process, one a process.
        threads: Tasks of one of them at a time.
        runner: What has the cluster's event loop: see `deaf_loop`.
        options: What else dask's `Nanny` takes, such as resources.

    """
    security = Security.temporary()
    closed = {"host": LOOPBACK, "protocol": "tls://", "security": security}
    # A worker class of ours would be imported, with torch, before a worker is there.
    nanny = {**_worker_options(threads), **closed}
    if sys.platform == "win32":
        nanny["preload"] = _DEAF
    workers = {
        number: {"cls": _Nanny, "options": {**nanny, "env": environment, **options}}
        for number, environment in enumerate(environments)
    }
    scheduler = {
        "cls": Scheduler if _HAS_BOKEH else _QuietScheduler,
        "options": {**closed, "port": 0, "dashboard_address": DASHBOARD},
    }
    return SpecCluster(
        workers,
        scheduler,
        loop=runner.loop,
        security=security,
        silence_logs=logging.CRITICAL,
    )


def _worker_options(threads: int) -> dict[str, Any]:
    return {
        "nthreads": threads,
        "memory_limit": 0,  # the window bounds memory; dask need not pause us
        "silence_logs": logging.CRITICAL,  # what fails is raised, in our words
    }
