"""Who is there to work, and what is said where nobody is.

A worker may die, be stopped, or be restarted by its nanny at any moment. So nothing
here waits for one that gives no sign of life, or for the last one that is gone; and
whatever dask raises then becomes one kind of sentence.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from distributed import KilledWorker, as_completed
from distributed.comm.core import CommClosedError
from distributed.metrics import time

from geoseg.errors import ClusterError, RunError
from geoseg.progress import OnStep, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from distributed import Client, Future

LOST = (CancelledError, CommClosedError)
"""What dask raises where a scheduler, or the last holder of a result, is gone."""
_SILENT_S = 60.0
"""Seconds without a sign of life after which a worker is not waited for."""
_STOPPED_S = 120.0
"""The same of one in the middle of its work, which may hold it up for a while."""
_LOOK_S = 1.0
"""Seconds between looks at who is there."""
_HERE = "inproc://"
"""How the address of a worker begins that is a thread of this process."""
_RESTARTED = "worker-restart-memory"
"""Under what dask's nannies note that they end a worker that holds too much memory."""

_MUTTERERS = ("asyncio", "distributed", "distributed.client", "tornado.application")
"""Loggers of what dask runs on; those below them take their levels."""

Answer = TypeVar("Answer")
_limits_seen: WeakKeyDictionary[Client, dict[str, int]] = WeakKeyDictionary()
"""The bytes that each worker of a client may hold that was ever there."""


def _hush(_: str) -> None:
    """Say it to nobody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run that has no worker waits for one to come."""

    seconds: float = 0
    """As long as this, at most."""
    warn: Callable[[str], None] = _hush
    """Called with a sentence when the waiting begins."""

    @classmethod
    def of(cls, seconds: float, stage: str, on_step: OnStep) -> Patience:
        """Wait so long, and say it as a note of a stage of a job."""
        return cls(seconds, lambda text: on_step(Step(stage, note=text)))


NO_PATIENCE = Patience()
"""Stop at once where no worker is left."""


def members(client: Client) -> list[str]:
    """Name the workers that there are now; none where the scheduler is gone."""
    return list(threads_of(client))


def threads_of(client: Client) -> dict[str, int]:
    """Count the threads of each worker that there is now."""
    if client.status != "running":
        return {}
    try:
        threads: dict[str, int] = client.nthreads()
    except (OSError, CancelledError):
        return {}
    return threads


def someone(client: Client, patience: Patience) -> bool:
    """Return whether there is a worker; where there is none, wait for one to come."""
    if members(client):
        return True
    if client.status != "running" or not patience.seconds:
        return False
    patience.warn(
        f"no worker is there; waiting for one, {patience.seconds:g} s at most"
    )
    end = monotonic() + patience.seconds
    while monotonic() < end and client.status == "running":
        sleep(_LOOK_S / 4)
        if members(client):
            return True
    return False


class Watch:
    """Who of a client's workers lives; those that give no sign of life are given up.

    What a worker that is stopped is about would wait for it, five minutes as dask
    comes, in silence. Given up, it is nobody's worker any more, and the others do its
    work. One that is a thread of this process lives as long as this does.
    """

    def __init__(self, client: Client, patience: Patience) -> None:
        """Begin to look."""
        self._client, self._patience = client, patience
        self._signs: dict[str, tuple[float, float]] = {}
        self.given_up: tuple[str, ...] = ()
        """Those that were stopped, by their addresses."""

    def members(self) -> list[str]:
        """Name the workers that there are, but for those that are given up now."""
        if self._client.status != "running":
            return []
        there: list[str]
        try:
            there, silent = self._client.sync(_sorted, self._client, self._are_silent)
        except (OSError, CancelledError):
            return []
        self.given_up += silent
        return there

    def someone(self) -> bool:
        """Return whether there is a worker, or comes one while there is patience."""
        return bool(self.members()) or someone(self._client, self._patience)

    def no_worker(self) -> RunError:
        """Make the error of a run whose workers are gone; name those stopped."""
        if not self.given_up:
            return no_worker()
        return RunError(
            f"no worker is left: {', '.join(self.given_up)} gave no sign of life for "
            f"{_STOPPED_S:g} s (it was stopped, or its machine is); end it, start "
            f"workers again and run the same command: it carries on from what is "
            f"finished"
        )

    def _are_silent(self, seen: Mapping[str, float]) -> tuple[str, ...]:
        """Name those whose last sign of life has been the same for too long.

        By this process's clock: the scheduler's may be another.
        """
        now = monotonic()
        for worker, when in seen.items():
            if self._signs.get(worker, (None,))[0] != when:
                self._signs[worker] = when, now
        return tuple(
            worker
            for worker in seen
            if now - self._signs[worker][1] > _STOPPED_S
            and not worker.startswith(_HERE)
        )


async def _sorted(
    client: Client, are_silent: Callable[[Mapping[str, float]], tuple[str, ...]]
) -> tuple[list[str], tuple[str, ...]]:
    """Name the workers that live, and those that are silent: take these away."""
    there = await _workers_info(client)
    silent = are_silent({w: each["last_seen"] for w, each in there.items()})
    scheduler: Any = client.scheduler
    for worker in silent:
        await scheduler.unregister(
            address=worker, stimulus_id=f"geoseg-silent-{time()}", close=False
        )
    return [worker for worker in there if worker not in silent], silent


def no_worker() -> RunError:
    """Make the error that ends a run without workers."""
    return RunError(
        "no worker is left, or the scheduler is gone; start them again and run the "
        "same command: it carries on from what is finished"
    )


@contextmanager
def muttering_hushed() -> Iterator[None]:
    """Keep from the terminal what dask's loops log while they die: we say it."""
    with ExitStack() as stack:
        for name in _MUTTERERS:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        yield


@contextmanager
def explaining_lost() -> Iterator[None]:
    """Say in our words that all is lost, whatever part of dask finds it out."""
    try:
        yield
    except KilledWorker as error:
        raise in_our_words(error) from error
    except LOST as error:
        raise no_worker() from error


def in_our_words(error: Exception) -> Exception:
    """Say where it is so that workers died at a task, each that tried it."""
    if not isinstance(error, KilledWorker):
        return error
    worker = error.last_worker
    return RunError(
        f"{error.allowed_failures + 1} workers were lost at the same work, the last "
        f"was {worker.address}, which may hold {_gigabytes(worker.memory_limit)} of "
        f"memory; most often that is too little: give dask worker a higher "
        f"memory limit (0 for none), or a smaller `block`"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size else "any amount"


def limits(client: Client) -> dict[str, int]:
    """Return how many bytes each worker may hold, also those that are gone meanwhile.

    0 where nobody counts.
    """
    workers_info(client)
    return dict(_limits_seen[client])


def workers_info(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """Ask the scheduler what it knows of each worker, by address.

    `client.scheduler_info()` reads what dask stored of its last question, which its
    own look every two seconds, without workers, may have replaced meanwhile.
    """
    workers: Mapping[str, Mapping[str, Any]] = client.sync(_workers_info, client)
    return workers


def restarted(client: Client, worker: str, limit: int) -> str:
    """Say that a worker that is gone held too much memory; empty where it did not."""
    events: Sequence[tuple[float, Mapping[str, Any]]] = client.get_events(_RESTARTED)
    held = [event["rss"] for _, event in events if event["worker"] == worker]
    if not held:
        return ""
    return (
        f"its nanny restarted it, for it held {_gigabytes(held[-1])} of the "
        f"{_gigabytes(limit)} of memory that it is allowed"
    )


def patiently(
    client: Client, begin: Callable[[], Awaitable[Answer]], patience: Patience
) -> Answer:
    """Wait for what workers do, as long as there is one to do it.

    Args:
        client: Whose workers.
        begin: Called in the client's loop, where dask's calls can be awaited.
        patience: How long to wait for a worker where none is left.

    Raises:
        RunError: No worker is left.

    """
    begun: asyncio.Future[Answer] = client.sync(_begun, begin)
    watch = Watch(client, patience)
    while not client.sync(_ended, begun):
        if not watch.someone():
            client.sync(_cancelled, begun)
            raise watch.no_worker()
    return begun.result()


async def _workers_info(client: Client) -> Mapping[str, Mapping[str, Any]]:
    if client.scheduler is None:
        raise CommClosedError
    identity: Mapping[str, Any] = await client.scheduler.identity(n_workers=-1)
    workers: Mapping[str, Mapping[str, Any]] = identity["workers"]
    allowed = {address: each["memory_limit"] or 0 for address, each in workers.items()}
    _limits_seen.setdefault(client, {}).update(allowed)
    return workers


async def gathered(client: Client, futures: Sequence[Future[Any]]) -> list[Any]:
    """Wait for futures and give their results, or raise the first error.

    dask's own `gather` raises within for each future that is cancelled at once, and
    those that it does not come to read are logged by asyncio, at some later moment.
    """
    async for future in as_completed(futures, loop=client.loop):
        if future.status != "finished":
            await future
    results: list[Any] = await client.gather(futures)
    return results


def within(client: Client, begin: Callable[[], Awaitable[Answer]]) -> Answer:
    """Wait for what all workers are to do at once, while they may be alive.

    Raises:
        TimeoutError: One has not done it for longer than any is waited for.

    """
    answer: Answer = client.sync(_within, begin)
    return answer


async def _within(begin: Callable[[], Awaitable[Answer]]) -> Answer:
    return await asyncio.wait_for(begin(), _SILENT_S)


async def _begun(begin: Callable[[], Awaitable[Answer]]) -> asyncio.Future[Answer]:
    return asyncio.ensure_future(begin())


async def _ended(begun: asyncio.Future[Any]) -> bool:
    await asyncio.wait([begun], timeout=_LOOK_S)
    return begun.done()


async def _cancelled(begun: asyncio.Future[Any]) -> None:
    begun.cancel()


def ask(
    client: Client, function: Callable[..., Any], workers: Sequence[str], *args: object
) -> dict[str, Any]:
    """Have each worker call a function, outside of its tasks.

    Returns:
        What each gives: its answer, or the exception that the function raised.

    Raises:
        ClusterError: A worker is lost or gives no sign of life; it is named.
        RunError: The scheduler is gone.

    """
    with explaining_lost():
        allowed = limits(client)
        answers: dict[str, Any] = client.sync(_ask, client, function, workers, args)
        for worker, answer in sorted(answers.items()):
            if isinstance(answer, _Silent):
                raise _silent(worker)
            if isinstance(answer, OSError):
                raise gone(client, worker, allowed.get(worker, 0))
    return answers


class _Silent(Exception):  # noqa: N818  # what stands for an answer, never raised
    """The answer of a worker that gives none."""


async def _ask(
    client: Client,
    function: Callable[..., Any],
    workers: Sequence[str],
    args: tuple[object, ...],
) -> dict[str, Any]:
    questions = {
        worker: asyncio.ensure_future(
            client.run(function, *args, workers=[worker], on_error="return")
        )
        for worker in workers
    }
    answers: dict[str, Any] = {}
    silent: set[str] = set()
    while waiting := {w: q for w, q in questions.items() if w not in answers}:
        await asyncio.wait(waiting.values(), timeout=_LOOK_S)
        before, silent = silent, set()
        there = await _workers_info(client)
        for worker, question in waiting.items():
            if question.done():
                answers[worker] = question.result()[worker]
            elif worker not in there:
                answers[worker] = CommClosedError("it is gone")
            elif time() - there[worker]["last_seen"] > _SILENT_S:
                silent.add(worker)
        # Twice, so that a machine that slept a while itself says nothing of others.
        answers.update((worker, _Silent()) for worker in silent & before)
    for question in questions.values():
        question.cancel()
    return answers


def _silent(worker: str) -> ClusterError:
    return ClusterError(
        f"worker {worker} gives no sign of life for {_SILENT_S:g} s: it is stopped, or "
        f"its machine is; let it go on or end it, and run the same command again"
    )


def gone(client: Client, worker: str, limit: int) -> ClusterError:
    """Make the error of a worker that is lost before the run begins."""
    why = restarted(client, worker, limit)
    cause = f" ({why})" if why else ""
    return ClusterError(
        f"worker {worker} was lost before the run began{cause}; "
        + ("give it more, or 0 for no limit" if why else "see what it says of it")
        + ", and run the same command again"
    )
