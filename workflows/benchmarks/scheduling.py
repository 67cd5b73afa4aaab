"""What a block costs beside its pixels: dask, the journal, and the files it leaves.

    python workflows/benchmarks/scheduling.py --blocks 50000

Maps many blocks of a single small tile with the near-free model of `throughput.py`, on
the in-process cluster that `geoseg segment` uses. What is left is scheduling: tasks of
several such small blocks, tasks that merge seams, the files that a block writes, reads
and removes, a line in the journal for each, and its pixels in two rasters. Prints
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

import psutil
from distributed import Client
from throughput import make_package, make_scene

import geoseg

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE, OVERLAP = 16, 4
POINTS = 10
"""How often memory is looked at."""


@dataclass
class Point:
    """How things stood on the way."""

    blocks: int
    seconds: float
    cpu_seconds: float
    memory_mb: float


@contextmanager
def cluster_by_hand() -> Iterator[str]:
    """Start a scheduler and a worker as the docs say; give their address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = str(Path(sys.executable).with_name("dask"))
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    lines = (
        [dask, "scheduler", "--port", str(port), *here],
        [dask, "worker", address, "--nthreads", "3", "--memory-limit", "0"],
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
    """Looks at the time and at memory while blocks are inferred."""

    def __init__(self) -> None:
        """Wait for the first blocks, with which code is compiled."""
        self.points: list[Point] = []
        self._first: tuple[int, float, float] | None = None

    def __call__(self, step: geoseg.Step) -> None:
        """Take a step of a run: a tile is a block."""
        if step.name != "infer" or not step.done:
            return
        now = step.done, time.perf_counter(), time.process_time()
        if self._first is None:
            self._first = now
        blocks, wall, cpu = (b - a for a, b in zip(self._first, now, strict=True))
        known = self.points[-1].blocks if self.points else 0
        if step.done == step.total or blocks >= known + step.total // POINTS:
            self.points.append(Point(blocks, wall, cpu, memory_mb()))


def walk(blocks: int, folder: Path, *, apart: bool) -> list[Point]:
    """Run as many blocks, and look at the clock and at memory on the way."""
    make_package(folder / "model", "near-free", tile=TILE, overlap=OVERLAP)
    make_scene(folder / "scene.tif", round(blocks**0.5) * (TILE - OVERLAP))
    clock = Clock()
    with cluster_by_hand() if apart else nullcontext() as scheduler:
        how = geoseg.SegmentOptions(
            model=folder / "model",
            block=1,
            scheduler=scheduler,
            formats="none",
            report_size=0,
        )
        geoseg.segment(folder / "scene.tif", folder / "out", options=how, on_step=clock)
    return clock.points


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
