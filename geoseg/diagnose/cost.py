"""What a run takes of time and money with so many workers, from what one took here.

Inference alone is spread over workers; rasters, polygons and pages are the work of the
process that was called, and workers are paid for meanwhile. No more than a scheduler
hands out, and no more than there are blocks, is worked on at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCKS_A_SECOND = 400
"""What dask's scheduler and its client hand out on a busy machine, at 2 to 3 ms of a
core a block, as `workflows/benchmarks/scale.py` measured it; a thousand on a quiet
one."""
_SPREAD = ("infer", "mask")
"""Stages that workers share."""


def seconds_with(stages: Mapping[str, float], blocks: int, workers: int) -> float:
    """Give the time of a run with so many workers like the one that was measured.

    Args:
        stages: The seconds of each stage with one process.
        blocks: Into how many pieces inference is cut.
        workers: How many there are; they are there when it begins.

    Example:
        >>> seconds_with({"infer": 6400.0, "raster": 20.0}, 10_000, 64)
        120.0
        >>> seconds_with({"infer": 6400.0, "raster": 20.0}, 16, 64)
        420.0

    """
    busy = max(min(workers, blocks), 1)
    shared = sum(stages.get(name, 0) for name in _SPREAD)
    rest = sum(stages.values()) - shared
    return max(shared / busy, blocks / BLOCKS_A_SECOND) + rest


def cost_of(seconds: float, workers: int, price: float) -> float:
    """Give what workers cost that are paid for by the hour, used or not.

    Example:
        >>> cost_of(1800.0, 64, 2.5)
        80.0

    """
    return seconds / 3600 * max(workers, 1) * price
