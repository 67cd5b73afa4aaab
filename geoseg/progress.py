"""What a job reports to whoever watches it, and the stopwatch of its stages."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Entered = TypeVar("Entered")


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is."""

    name: str
    """``index``, ``prepare``, ``mask``, ``infer``, ``features``, ``raster``,
    ``vectorize``, ``preview``; ``statistics`` where the scene is measured first; in
    comparisons also ``measure``, ``whole``; in trainings ``train``; of composites
    ``composite``; of several scenes ``check`` and ``scenes``, which count them."""
    done: int = 0
    """How much of it is done; tiles, for ``mask`` and ``infer``."""
    total: int = 0
    """How much there is to do; 0 where it is not counted."""
    resumed_blocks: int = 0
    """Blocks that an unfinished run had done already."""
    blocks: int = 0
    """Blocks there are in all."""
    warnings: tuple[str, ...] = ()
    """What was put right or taken for granted, a sentence each."""
    scene: str = ""
    """The name of the scene that it is about, where there are several; with ``scenes``,
    of the one that is done with, empty at the beginning."""
    dashboard: str = ""
    """Where the workers can be watched, once they are there: dask's dashboard."""
    note: str = ""
    """What was found on the way, in a line: an epoch's figures, say."""
    kept: bool = False
    """Whether the same call carries on from what is done, should it stop now."""
    compiles: bool = False
    """Whether it begins by compiling code, as the first run on a machine does."""


OnStep = Callable[[Step], None]
"""Called as a job gets on, from the calling thread."""


def ignore_step(_: Step) -> None:
    """Watch nothing."""


@dataclass(frozen=True, slots=True)
class Lap:
    """A piece of a task: what was done from when to when."""

    stage: str
    """``read``, ``wait`` (for the device), ``compute`` or ``write``."""
    start: float
    """When it began, in seconds since 1970."""
    seconds: float
    """How long it took."""
    size: int = 0
    """Bytes that were read or written."""


@dataclass(frozen=True, slots=True)
class Laps:
    """The pieces of a task, one after the other, and who did it."""

    host: str
    """The machine."""
    process: int
    """The process's number there."""
    thread: int
    """The thread's number in it."""
    pieces: tuple[Lap, ...]
    """In their order; none begins before the one before ends."""

    def __str__(self) -> str:
        """Write them in words: ``read 0.012 s, wait 0.000 s``."""
        return ", ".join(f"{each.stage} {each.seconds:.3f} s" for each in self.pieces)


class Stopwatch:
    """The stopwatch of a task, which ends a lap each time that it is called."""

    def __init__(self) -> None:
        """Start it."""
        self._laps: list[Lap] = []
        self._last = time.time()

    def __call__(self, stage: str, size: int = 0) -> None:
        """End a lap, in which so many bytes were read or written."""
        now = time.time()
        self._laps.append(Lap(stage, self._last, max(now - self._last, 0), size))
        self._last = now

    def laps(self) -> Laps:
        """Give all laps, as those of this thread."""
        number = threading.get_native_id()
        return Laps(socket.gethostname(), os.getpid(), number, tuple(self._laps))


class Timeline(Protocol):
    """Where what is measured goes, for people who look at it later."""

    def stage(self, name: str, start: float, seconds: float) -> None:
        """Take a stage of the job, which began so many seconds after 1970."""

    def task(self, name: str, laps: Laps) -> None:
        """Take the laps of a task, wherever it was done."""


@contextmanager
def spanned(stage: str, timeline: Timeline | None) -> Iterator[None]:
    """Write down when a stage was, where there is a timeline."""
    began, start = time.time(), time.perf_counter()
    yield
    if timeline is not None:
        timeline.stage(stage, began, time.perf_counter() - start)


@contextmanager
def entered(
    context: AbstractContextManager[Entered], stage: str, timeline: Timeline | None
) -> Iterator[Entered]:
    """Enter a context, which is a stage by itself: what follows is none of it."""
    with ExitStack() as stack:
        with spanned(stage, timeline):
            given = stack.enter_context(context)
        yield given


@dataclass(slots=True)
class Clock:
    """Wall-clock seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    timeline: Timeline | None = None
    """Where stages and tasks are written down, too, if anywhere."""

    def copy(self) -> Clock:
        """Give a stopwatch that goes on from here by itself."""
        return Clock(dict(self.seconds), self.timeline)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure a stage."""
        start = time.perf_counter()
        with spanned(stage, self.timeline):
            yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
