"""What a job reports to whoever watches it, and the stopwatch of its stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is."""

    name: str
    """``scene``, ``index``, ``prepare``, ``mask``, ``infer``, ``features``, ``raster``,
    ``vectorize``, ``preview``; ``statistics`` where the scene is measured first; in
    comparisons also ``measure``, ``whole``; in trainings ``train``; of composites
    ``composite``."""
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
    """The name of the scene that begins, where there are several."""
    dashboard: str = ""
    """Where the workers can be watched, once they are there: dask's dashboard."""
    note: str = ""
    """What was found on the way, in a line: an epoch's figures, say."""
    compiles: bool = False
    """Whether it begins by compiling code, as the first run on a machine does."""


OnStep = Callable[[Step], None]
"""Called as a job gets on, from the calling thread."""


def ignore_step(_: Step) -> None:
    """Watch nothing."""


@dataclass(slots=True)
class Clock:
    """Wall-clock seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    def copy(self) -> Clock:
        """Give a stopwatch that goes on from here by itself."""
        return Clock(dict(self.seconds))

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Measure a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
