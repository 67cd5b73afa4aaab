"""Workers of this machine, closed to everybody else on it.

Whoever can connect to a dask scheduler can run code as the user who started it, and a
port on loopback is open to every user of the machine. So worker processes and their
scheduler speak TLS with a certificate that is made for the run and is in memory only,
and without worker processes no port is opened at all.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from distributed import Nanny, Scheduler, Security, SpecCluster, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOPBACK = "127.0.0.1"
"""What this machine alone can reach."""
DASHBOARD = f"{LOOPBACK}:0"
"""Any free port, for this machine only."""
_HAS_BOKEH = find_spec("bokeh") is not None
"""Without it dask has no dashboard, and its web server nothing that people look at."""


class _NoServer:
    """What makes a part of dask's go without a web server."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open no port: dask would, for health checks that nobody makes."""


class _QuietScheduler(_NoServer, Scheduler):
    """A scheduler without a web server."""


class _QuietWorker(_NoServer, Worker):
    """A worker without a web server."""


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
    environments: Sequence[dict[str, str]], threads: int, **options: object
) -> SpecCluster:
    """Start worker processes that nobody else can reach.

    Args:
        environments: What is set in the environment of each process, one a process.
        threads: Tasks of one of them at a time.
        options: What else dask's `Nanny` takes, such as resources.

    """
    security = Security.temporary()
    closed = {"host": LOOPBACK, "protocol": "tls://", "security": security}
    # A worker class of ours would be imported, with torch, before a worker is there.
    nanny = {**_worker_options(threads), **closed}
    workers = {
        number: {"cls": Nanny, "options": {**nanny, "env": environment, **options}}
        for number, environment in enumerate(environments)
    }
    scheduler = {
        "cls": Scheduler if _HAS_BOKEH else _QuietScheduler,
        "options": {**closed, "port": 0, "dashboard_address": DASHBOARD},
    }
    return SpecCluster(
        workers, scheduler, security=security, silence_logs=logging.CRITICAL
    )


def _worker_options(threads: int) -> dict[str, Any]:
    return {
        "nthreads": threads,
        "memory_limit": 0,  # the window bounds memory; dask need not pause us
        "silence_logs": logging.CRITICAL,  # what fails is raised, in our words
    }
