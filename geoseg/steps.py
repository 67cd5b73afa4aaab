"""What a job is doing, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is."""

    name: str
    """``scene``, ``index``, ``prepare``, ``mask``, ``infer``, ``features``, ``raster``,
    ``vectorize``, ``preview``; ``statistics`` where the scene is measured first; in
    comparisons also ``measure``, ``whole``; in trainings ``train``."""
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
