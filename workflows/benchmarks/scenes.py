"""What many members, a slow server and an index of many headers cost.

    python workflows/benchmarks/scenes.py [--only large members server index] [--json F]

Beside each figure stands what it is measured against, in the same process and in turns:
a mosaic beside one tiled GeoTIFF of the same pixels, a server with 50 ms latency (in a
process of its own) beside the disk. *Reading* is windows of 1024 px
in three threads, as blocks are read in a run; *near-free* is the inference of
`geoseg.segment` with the near-free model of throughput.py. CPU seconds stand beside
those of the clock. Nothing here is a test; compare figures of one table only.

A member whose side is no multiple of its tiles' holds tiles that reach beyond it, which
are decoded whole: members of 410 px in tiles of 256 make GDAL decode 1.56 times the
pixels of the scene, whoever reads them. So members of two tiles by two, which hold no
pixel more than the single file, are measured beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from throughput import BANDS as NAMES
from throughput import SAMPLE, SAMPLE_BANDS, cpu_seconds, make_package

import geoseg
from geoseg import PolygonOptions, Scene, Window, open_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TESTS = Path(__file__).parents[2] / "tests" / "support"
BANDS = (0, 1, 2, 3)
ACROSS = 20
"""Members of a mosaic along each side: 400 in all."""
TILED = {"tiled": True, "blockxsize": 256, "blockysize": 256, "num_threads": 2}
TILED |= {"compress": "deflate", "zlevel": 1}
REPEATS = 2
"""The best of these counts."""


@dataclass
class Row:
    """A line of the table."""

    case: str
    mpx: float
    seconds: float
    cpu_s: float
    beside: str = ""

    @property
    def mpx_s(self) -> float:
        """Megapixels of the scene a second."""
        return self.mpx / self.seconds


def sample(side: int) -> np.ndarray:
    """Mirror four bands of the sample to a square of bytes (band, y, x)."""
    with rasterio.open(SAMPLE) as dataset:
        pixels = np.clip(dataset.read(SAMPLE_BANDS) // 16, 1, 255).astype(np.uint8)
    margins = ((0, 0), *((0, max(side - n, 0)) for n in pixels.shape[1:]))
    return np.pad(pixels, margins, mode="symmetric")[:, :side, :side]


def write(path: Path, pixels: np.ndarray, col: int = 0, row: int = 0) -> None:
    """Write pixels (band, y, x) that begin at a row and column of the plane."""
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    transform = Affine(10, 0, 330_000 + 10 * col, 0, -10, 5_822_040 - 10 * row)
    grid = {"crs": "EPSG:32633", "transform": transform}
    with rasterio.open(path, "w", driver="GTiff", **grid, **shape, **TILED) as dataset:
        dataset.write(pixels)
        for index, name in enumerate(NAMES[:count], start=1):
            dataset.set_band_description(index, name)


def write_members(folder: Path, pixels: np.ndarray) -> None:
    """Cut pixels into 400 members."""
    folder.mkdir()
    side = pixels.shape[-1]
    edges = [side * index // ACROSS for index in range(ACROSS + 1)]
    for row, (top, bottom) in enumerate(pairwise(edges)):
        for left, right in pairwise(edges):
            part = pixels[:, top:bottom, left:right]
            write(folder / f"{row:03}_{left:06}.tif", part, left, top)


def read_all(scene: Scene, block: int = 1024) -> None:
    """Read a scene block by block in three threads."""
    windows = [
        window
        for row in range(0, scene.geobox.height, block)
        for col in range(0, scene.geobox.width, block)
        if (window := Window(row, col, block, block).intersection(scene.window))
    ]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda window: scene.read(window, BANDS)[1].any(), windows))


def in_turns(
    mpx: float, cases: Sequence[tuple[str, Callable[[], float | None]]]
) -> list[Row]:
    """Measure cases one after the other, several times; the first is the measure.

    What a case returns counts as its seconds, else those that it took.
    """
    rows: dict[str, Row] = {}
    for _ in range(REPEATS):
        for name, work in cases:
            before, started = cpu_seconds(), time.perf_counter()
            measured = work()
            seconds = measured or time.perf_counter() - started
            row = Row(name, mpx, seconds, cpu_seconds() - before)
            if name not in rows or seconds < rows[name].seconds:
                rows[name] = row
    first, *others = rows.values()
    for row in others:
        row.beside = f"{row.mpx_s / first.mpx_s:.0%}, {row.cpu_s / first.cpu_s:.0%} CPU"
    return [first, *others]


def inferred(scene_path: Path | str, folder: Path) -> float:
    """Map a scene with the near-free model: seconds of inference."""
    options = geoseg.SegmentOptions(
        model=folder / "near-free",
        formats=("fgb",),
        polygons=PolygonOptions(min_area="20000px"),
    )
    with tempfile.TemporaryDirectory(dir=folder) as output:
        geoseg.segment(scene_path, output, options=options)
        report = json.loads(Path(output, "run.json").read_text())
    return float(report["timings_s"]["infer"])


def measure_reading(folder: Path, member: int) -> list[Row]:
    """Measure reading 400 members of a side beside one file of the same pixels."""
    pixels = sample(ACROSS * member)
    mpx = pixels[0].size / 1e6
    one, many = folder / f"one{member}.tif", folder / f"members{member}"
    write(one, pixels)
    write_members(many, pixels)
    del pixels
    single, mosaic = open_scene(one), open_scene(many)
    read_all(single)  # code is compiled and files are in memory
    return in_turns(
        mpx,
        [
            (f"reading one file, {mpx:.0f} Mpx", lambda: read_all(single)),
            (f"reading 400 members of {member} px", lambda: read_all(mosaic)),
        ],
    )


def measure_members(folder: Path, member: int) -> list[Row]:
    """Measure reading and mapping 400 members beside one file of the same pixels."""
    reading = measure_reading(folder, member)
    one, many = folder / f"one{member}.tif", folder / f"members{member}"
    inferred(one, folder)
    return reading + in_turns(
        reading[0].mpx,
        [
            ("near-free, one file", lambda: inferred(one, folder)),
            (f"near-free, 400 members of {member} px", lambda: inferred(many, folder)),
        ],
    )


@contextmanager
def far_server(folder: Path, delay: float) -> Iterator[str]:
    """Serve a folder from another process, as the tests' server does, with latency."""
    code = (
        "import pathlib, sys; from web import served\n"
        f"with served(pathlib.Path({str(folder)!r}), delay={delay}) as (address, _):\n"
        "    print(address, flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, **pipes) as process:  # noqa: S603  # ours
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure_server(folder: Path, side: int = 4096) -> list[Row]:
    """Measure a server with 50 ms latency beside the disk."""
    write(folder / "far.tif", sample(side))
    near = folder / "far.tif"
    inferred(near, folder)
    with far_server(folder, 0.05) as address:
        # Each time another address, of which GDAL has nothing in memory.
        fresh = iter(f"{address}/far.tif?{number}" for number in range(REPEATS))
        return in_turns(
            side * side / 1e6,
            [
                ("near-free, from the disk", lambda: inferred(near, folder)),
                ("near-free, 50 ms away", lambda: inferred(next(fresh), folder)),
            ],
        )


def measure_index(folder: Path, members: int = 10_000) -> list[Row]:
    """Open a folder of many small members for the first time, and again."""
    many, rows = folder / "many", []
    many.mkdir()
    for index in range(members):
        row, col = divmod(index, 100)
        write(
            many / f"{index:06}.tif", np.ones((1, 16, 16), np.uint8), 16 * col, 16 * row
        )
    for case in ("at first", "again"):
        before, started = cpu_seconds(), time.perf_counter()
        scene = open_scene(many)
        seconds, cpu = time.perf_counter() - started, cpu_seconds() - before
        name = f"opening {members} members {case}"
        rows.append(Row(name, scene.window.pixels / 1e6, seconds, cpu))
    return rows


CASES: dict[str, Callable[[Path], list[Row]]] = {
    "large": lambda folder: measure_reading(folder, 1024),
    "members": lambda folder: (
        measure_members(folder, 512) + measure_members(folder, 410)
    ),
    "server": measure_server,
    "index": measure_index,
}


def main() -> None:
    """Measure what is asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GEOSEG_CACHE"] = str(folder / "cache")
        make_package(folder / "near-free", "near-free")
        for case in given.only:
            rows += CASES[case](folder)
    print("| case | s | CPU s | Mpx/s | beside the first |")
    print("|---|---:|---:|---:|---|")
    for row in rows:
        figures = f"{row.seconds:.2f} | {row.cpu_s:.2f} | {row.mpx_s:.1f}"
        print(f"| {row.case} | {figures} | {row.beside} |")
    if given.json:
        record = [asdict(row) | {"mpx_s": row.mpx_s} for row in rows]
        given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
