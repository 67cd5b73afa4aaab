"""How long a tile takes: in the model, and all that is done around it.

The model is timed alone, in as many streams as a run has. Reading, cutting, stitching
and packing are timed on blocks of the scene, with a model that answers at once: so a
slow model costs a forecast no more than a fast one.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.predict import try_streams
from geoseg.run.job import THREADS
from geoseg.run.journal.disk import DiskStore
from geoseg.run.tasks import SegmentJob

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.tiling import Block
    from geoseg.predict import TilePredictor
    from geoseg.run.configuration import RunConfig

MEASURED_S = 1.0
"""Seconds that the model is measured for."""
_AROUND_S = 0.7
"""Seconds after which no more blocks are begun."""


def seconds_per_tile(config: RunConfig) -> float:
    """Seconds that a tile takes in a run by one process, beside what is written later.

    On a CPU the model and all that is around it share the cores; a GPU has its own.
    """
    model, around = _in_the_model(config), _around_it(config)
    on_cpu = config.predictor.compute.device == "cpu"
    return model + around if on_cpu else max(model, around)


def _in_the_model(config: RunConfig) -> float:
    """Seconds that a tile takes in the model, the first round not counted."""
    predictor, side = config.predictor, config.plan.lattice.rows.tile
    try_streams(predictor, side, dtype=config.scene.dtype)
    started, rounds = time.perf_counter(), 0
    while time.perf_counter() - started < MEASURED_S:
        try_streams(predictor, side, dtype=config.scene.dtype)
        rounds += 1
    seconds = (time.perf_counter() - started) / rounds
    return seconds / (predictor.batch * predictor.streams)


def _around_it(config: RunConfig) -> float:
    """Seconds that reading, stitching and packing take for a tile."""
    job = SegmentJob(
        plan=config.plan,
        source=config.scene,
        predictor=_Idle(config.predictor, config.plan.lattice.rows.tile),
        area=config.aoi,
        blend=config.options.blend,
        layers=config.layers,
        store=DiskStore(Path(os.devnull)),  # what is made here is not kept
    )
    waiting, tiles = iter(_spread(config)), 0

    def work() -> int:
        done = 0
        while time.perf_counter() - started < _AROUND_S:
            block = next(waiting, None)
            if block is None:
                break
            done += job.do_block(block).inferred
        return done

    first = next(waiting, None)
    if first is None:
        return 0.0
    job.do_block(first)  # files are opened
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        tiles = sum(pool.map(lambda _: work(), range(THREADS)))
    if not tiles:
        tiles = job.do_block(first).inferred
    return (time.perf_counter() - started) / tiles if tiles else 0.0


def _spread(config: RunConfig) -> list[Block]:
    """List the blocks of the area, those first that lie far from each other."""
    blocks = sorted(config.plan.blocks)
    order = np.random.default_rng(0).permutation(len(blocks))
    return [blocks[k] for k in order.tolist()]


@dataclass(frozen=True, slots=True)
class _Idle:
    """A predictor that answers at once: every class is as likely."""

    real: TilePredictor
    """What it answers for."""
    side: int
    """Side of a tile."""

    @property
    def bands(self) -> tuple[int, ...]:
        """The bands that are read."""
        return self.real.bands

    @property
    def planes(self) -> int:
        """How many numbers a pixel has."""
        return self.real.planes

    @property
    def batch(self) -> int:
        """The number of tiles in a batch."""
        return self.real.batch

    @property
    def device(self) -> torch.device:
        """Where the numbers are."""
        return self.real.device

    @property
    def streams(self) -> int:
        """How many batches are computed side by side."""
        return self.real.streams

    @property
    def threads(self) -> int:
        """The threads that an operation uses on a CPU."""
        return self.real.threads

    def check(self) -> None:
        """There is nothing to check."""

    def __call__(
        self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> torch.Tensor:
        """Give the same for all pixels."""
        shape = len(pixels), self.planes, *valid.shape[1:]
        return torch.full(shape, 1 / self.planes, device=self.device)
