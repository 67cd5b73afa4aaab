"""What a block costs beside its pixels: dask, the journal, and the files it leaves.

    python workflows/benchmarks/scheduling.py --blocks 50000

Walks a plan of many blocks of a single small tile, with a scene that is nowhere and a
model that does nothing, on the in-process cluster that `geoseg segment` uses. What is
left is scheduling: tasks of several such small blocks, tasks that merge seams, twelve
files a block written, read and removed, and a line in the journal for each. Prints
milliseconds a block, all of that counted, and the memory of the process (client,
scheduler and worker in one) on the way, which must not grow. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
from affine import Affine
from distributed import Client
from pyproj import CRS

from geoseg import GeoBox, Window
from geoseg.predict.layers import Layers
from geoseg.run.cluster import open_client
from geoseg.run.engine import Progress, run
from geoseg.run.journal.journal import open_journal
from geoseg.run.plan import lay_tiles, make_plan
from geoseg.run.tasks import SegmentJob

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE, OVERLAP, CHANNELS = 16, 4, 2
CPU = torch.device("cpu")
POINTS = 10
"""How often memory is looked at."""


@dataclass(frozen=True)
class Nowhere:
    """A scene of ones, and an area that is all of it."""

    side: int

    @property
    def geobox(self) -> GeoBox:
        """A plane of 10 m pixels."""
        transform = Affine(10, 0, 300_000, 0, -10, 5_900_000)
        return GeoBox(self.side, self.side, transform, CRS.from_epsg(32633))

    @property
    def window(self) -> Window:
        """All pixels."""
        return Window(0, 0, self.side, self.side)

    def check(self) -> None:
        """It is nowhere, and so everywhere."""

    def check_unchanged(self, _: Window) -> None:
        """Nothing is there that could change."""

    def read(
        self, window: Window, bands: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give ones, all valid."""
        shape = (window.height, window.width)
        return np.ones((len(bands), *shape), np.uint8), np.ones(shape, bool)

    def touches(self, _: Window) -> bool:
        """Every tile counts."""
        return True

    def mask(self, window: Window) -> np.ndarray:
        """Every pixel counts."""
        return np.ones((window.height, window.width), bool)


@dataclass(frozen=True)
class Nothing:
    """A model that gives every class the same."""

    bands: tuple[int, ...] = (0,)
    planes: int = CHANNELS
    batch: int = 1
    device: torch.device = CPU
    streams: int = 1
    threads: int = 1

    def check(self) -> None:
        """It is wherever it is sent."""

    def __call__(self, pixels: np.ndarray, _: np.ndarray) -> torch.Tensor:
        """Give one half for each class and pixel."""
        return torch.full((len(pixels), CHANNELS, TILE, TILE), 0.5)


@dataclass
class Point:
    """How things stood on the way."""

    blocks: int
    seconds: float
    cpu_seconds: float
    memory_mb: float


@contextmanager
def cluster_by_hand(*words: str) -> Iterator[str]:
    """Start a scheduler and a worker as the docs say; give their address.

    Args:
        words: What else the worker is told.

    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = str(Path(sys.executable).with_name("dask"))
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    lines = (
        [dask, "scheduler", "--port", str(port), *here],
        [dask, "worker", address, "--nthreads", "3", "--memory-limit", "0", *words],
    )
    started = [subprocess.Popen(line, **quiet) for line in lines]  # noqa: S603  # dask's own commands
    try:
        with Client(address) as client:
            client.wait_for_workers(1)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def memory_mb() -> float:
    """The memory that this process holds now."""
    return psutil.Process().memory_info().rss / 1e6


class Clock:
    """Looks at the time and at memory."""

    def start(self) -> None:
        """Count from now on."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def point(self, blocks: int) -> Point:
        """Look."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Point(blocks, wall, cpu, memory_mb())


def walk(blocks: int, directory: Path, *, apart: bool) -> list[Point]:
    """Run as many blocks, and look at the clock and at memory on the way."""
    across = round(blocks**0.5)
    scene = Nowhere(across * (TILE - OVERLAP))
    lattice = lay_tiles(scene.geobox, scene.window, tile=TILE, overlap=OVERLAP, block=1)
    plan = make_plan(
        scene.geobox, lattice, area=scene.window, touches=scene.touches, identity={}
    )
    points: list[Point] = []
    clock = Clock()
    every = max(len(plan.blocks) // POINTS, 1)

    def look(progress: Progress) -> None:
        if progress.blocks % every == 0:
            points.append(clock.point(progress.blocks))

    with (
        cluster_by_hand() if apart else nullcontext() as scheduler,
        open_client(scheduler=scheduler) as client,
        open_journal(directory, {}) as journal,
    ):
        job = SegmentJob(
            plan, scene, Nothing(), scene, "hann", Layers((1, 2)), journal.store
        )
        clock.start()
        run(job, journal, client, look)
        points.append(clock.point(len(plan.blocks)))
    return points


def main() -> None:
    """Walk, print, and write the figures where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument(
        "--apart", action="store_true", help="scheduler and worker in processes"
    )
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        points = walk(given.blocks, Path(folder), apart=given.apart)
    for point in points:
        size = f"{point.memory_mb:7.0f} MB"
        print(f"{point.blocks:>9,} blocks {point.seconds:8.1f} s {size}")
    last = points[-1]
    per_block = 1000 * last.seconds / last.blocks
    cpu = 1000 * last.cpu_seconds / last.blocks
    print(f"{per_block:.2f} ms a block ({cpu:.2f} of CPU), all that it leaves counted")
    if given.json:
        figures = {
            "ms_per_block": per_block,
            "cpu_ms_per_block": cpu,
            "points": [asdict(p) for p in points],
        }
        given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
