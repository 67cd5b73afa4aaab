"""A process that worker processes are forked from, which imports while a job prepares.

A worker imports torch, numba and GDAL before its first block: seconds of a processor,
and hundreds of megabytes, for each. But it is known from the first moment of a command
that it is to have workers. So Python's fork server begins then, as one process more,
and imports what they need while the command imports what it needs itself, and opens its
scene and its model. Later, each worker is forked from it in milliseconds, and has its
memory in common with the others.

Nothing waits for it: whoever is told that an input is bad ends, and so does the server.
It is for the program alone: a process has one such server, for whatever it forks, and
in somebody else's program that is somebody else's.

What a process has from its first moment, a fork has of the server's. So workers are
forked where the server's environment and import path are those of the caller still;
where these changed since, they begin by spawn, as they do on Windows, which cannot
fork, and on macOS, whose libraries do not bear it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TO_MAP = (
    "geoseg.run.cluster",
    "geoseg.run.engine",
    "geoseg.run.tasks",
    "geoseg.predict",
    "geoseg.predict.layers",
    "geoseg.overlay.aoi",
    "geoseg.models.networks.lean_import",
)
"""What a worker imports before it infers its first block."""
TO_COMPOSE = ("geoseg.run.cluster", "geoseg.run.engine", "geoseg.run.composite.job")
"""What it imports before it makes its first block of a composite."""
_FIRST, _LAST = f"{__package__}.imports_begin", f"{__package__}.imports_end"
"""What it imports before and after: see there."""

OF_DASK = {
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""What dask sets before a worker begins, unless it is set: libraries and the allocator
look at it when they are loaded."""
_SEED = ("PYTHONHASHSEED", "6640")
"""What dask sets in any case, so that workers hash alike."""
_PATH = ("PYTHONPATH", "PYTHONSAFEPATH")
"""By what the server finds the modules of its caller, and none in the folder where it
begins. Workers get the import path by itself."""
_OF_NO_MATTER = ("PYTHONHASHSEED", "__DASK_PARENT_PID")
"""What dask has set in this process since, for no worker's sake."""
_READ_LATE = ("no_proxy", "GDAL_CURL_CA_BUNDLE", "PROJ_CURL_CA_BUNDLE")
"""What is looked at whenever it is used, and set on the way: the first by reading from
servers (see `geoseg.scene.files.redirects`), the others by pyogrio's import."""
_DEVICES = ("/dev/nvidiactl", "/dev/kfd")
"""What is there where GPUs are, of either maker."""

_lock = Lock()
_begun: list[_Begun] = []
"""The server, once it has begun: a process has one."""


@dataclass(frozen=True)
class _Begun:
    """A server, and what it began with."""

    pid: int
    """Its process."""
    environment: Mapping[str, str]
    """What this process had set, and what dask sets."""
    path: Sequence[str]
    """Where this process imported from."""


class Asked(Protocol):
    """Options of a job that may have workers; all of `geoseg.options` that do are."""

    @property
    def workers(self) -> int | None:
        """How many worker processes are asked for; None for what suits."""

    @property
    def scheduler(self) -> str | None:
        """The running cluster that works instead, if any."""


def begin(modules: Sequence[str], options: Asked) -> None:
    """Begin the server, where workers are asked for that can be forked from one.

    Returns at once, and does nothing where there is one.

    Args:
        modules: What it is to import, such as `TO_MAP`.
        options: What is asked for.

    """
    wanted = options.workers and options.scheduler is None
    if wanted and not _on_gpus(getattr(options, "device", "cpu")) and _can():
        with _lock:
            if _pid() is None:  # else it is there, or somebody else's is
                _begin(modules)


def changed_since() -> dict[str, str] | None:
    """Say what a worker is to set in its environment that is forked now.

    Returns:
        None where there is no server, or where what it began with is not what this
        process has now: then workers begin by spawn.

    """
    with _lock:
        if not (
            _begun and _lives(_begun[-1].pid) and _begun[-1].path == _import_path()
        ):
            return None
        before, now = _begun[-1].environment, _environment()
    if before.keys() - now.keys():
        return None  # nobody can have a worker forget a variable
    changed = {name: now[name] for name in now if now[name] != before.get(name)}
    if changed.keys() - set(_READ_LATE):
        return None
    return changed | {name: os.environ.get(name, "") for name in _PATH}


def _can() -> bool:
    """Whether this system's processes may be forked, and only their owner asks.

    Until Python 3.11.1, everybody on the machine could ask the server to run code.
    """
    return (
        sys.platform == "linux"
        and sys.version_info >= (3, 11, 1)
        and not sys.flags.ignore_environment
        and not any(os.pathsep in str(entry) for entry in sys.path)
    )


def _on_gpus(device: str) -> bool:
    """Whether workers may get a GPU each: then they begin by spawn."""
    return device == "cuda" or (
        device == "auto" and any(Path(each).exists() for each in _DEVICES)
    )


def _pid() -> int | None:
    """Give the process of Python's server, where there is one, whoever began it."""
    found: int | None = getattr(forkserver._forkserver, "_forkserver_pid", None)  # noqa: SLF001  # no other way to know
    return found


def _lives(pid: int) -> bool:
    """Whether a server is there still, and is Python's."""
    return pid == _pid() and not _ended(pid)


def _ended(child: int) -> bool:
    if sys.platform != "win32":  # which asks for no child
        with suppress(ChildProcessError):  # else somebody got to know of it before
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, child, how) is not None
    return True


def _import_path() -> list[str]:
    return [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # "" is here


def _environment() -> dict[str, str]:
    """Give what workers find in their environment, where they begin by spawn."""
    found = OF_DASK | dict(os.environ)
    return {name: found[name] for name in found if name not in _OF_NO_MATTER}


def _begin(modules: Sequence[str]) -> None:
    environment, path = _environment(), _import_path()
    forkserver.set_forkserver_preload([_FIRST, *modules, _LAST])
    try:
        with deaf(), _set(path):
            forkserver.ensure_running()
    except OSError:  # no room for a process, or too long a path for its socket:
        return  # what is so for workers, too, is said of them
    pid = _pid()
    if pid is not None:
        _begun.append(_Begun(pid, environment, path))
        # After all that multiprocessing ends or waits for.
        util.Finalize(None, _end, args=(pid,), exitpriority=-50)


@contextmanager
def deaf() -> Iterator[None]:
    """Have processes begin that do not hear what a terminal says, nor do their forks.

    A process has from its first moment on the mask of signals of the thread that
    started it; one that is told later may die of Ctrl-C with a traceback before.
    """
    if sys.platform == "win32":  # which has no masks
        yield
    else:
        resource_tracker.ensure_running()  # whose start lets a thread hear again
        of_terminal = {signal.SIGINT, signal.SIGHUP}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, of_terminal)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _set(path: Sequence[str]) -> Iterator[None]:
    """Have what dask sets, and an import path, in the environment of a new process."""
    wanted = {name: OF_DASK[name] for name in OF_DASK if name not in os.environ}
    wanted |= {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}
    wanted |= dict([_SEED])
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in wanted.keys() - before.keys():
            os.environ.pop(name, None)
        os.environ.update(before)


def _end(pid: int) -> None:
    """End a server that imports still: whoever reads what this process says waits."""
    if sys.platform != "win32" and _lives(pid):
        os.kill(pid, signal.SIGKILL)
