"""How much memory do polygons take, over the size of the map?

    python workflows/benchmarks/polygon_memory.py --sizes 4096 8192 --json figures.json

The map of `vectorize.py`, mirrored and repeated in a file that is written a row of
tiles at a time. `geoseg.vectorize` draws its polygons, simplified, into a file. Each
size is a process of its own; the smallest, of 256 px, is what libraries and compiled
kernels take.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rasterio.windows import Window
from vectorize import TOLERANCE_PX, fetch_map, open_map

import geoseg

LEAST = 256
ROWS = 512
"""Rows of the map that are written at a time."""


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--min-area", default="0px", help="as geoseg vectorize has it")
    parser.add_argument("--format", default="gpkg", help="the suffix of the file")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder, "map.npy")
        np.save(seed, fetch_map(Path(folder)))
        figures = [run_worker(seed, size, options) for size in (LEAST, *options.sizes)]
    print(f"{'side':>7} {'polygons':>12} {'GB':>7} {'bytes/px':>9} {'CPU s':>8}")
    for each in figures:
        beyond = (each["peak"] - figures[0]["peak"]) / each["side"] ** 2
        print(
            f"{each['side']:7} {each['polygons']:12,} {each['peak'] / 1e9:7.2f} "
            f"{beyond:9.2f} {each['cpu']:8.1f}"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def run_worker(seed: Path, size: int, options: argparse.Namespace) -> dict:
    """Measure a size in a process of its own."""
    map_path = seed.with_name(f"map-{size}.tif")
    write_repeated(np.load(seed), size, map_path)
    words = [__file__, "--worker", map_path, "--sizes", size]
    words += ["--min-area", options.min_area, "--format", options.format]
    answer = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, *map(str, words)], check=True, capture_output=True, text=True
    )
    map_path.unlink()
    return json.loads(answer.stdout)


def write_repeated(seed: np.ndarray, side: int, path: Path) -> None:
    """Write a map and its mirror images, repeated to a square."""
    rows, cols = (mirrored(length, side) for length in seed.shape)
    with open_map(path, side) as dataset:
        for start in range(0, side, ROWS):
            some = rows[start : start + ROWS]
            window = Window(0, start, side, len(some))
            dataset.write(seed[np.ix_(some, cols)], 1, window=window)


def mirrored(length: int, side: int) -> np.ndarray:
    """Give the index that each of so many rows or columns repeats."""
    turns = np.arange(side) % (2 * length)
    return np.minimum(turns, 2 * length - 1 - turns)


def measure(options: argparse.Namespace) -> dict:
    """Draw the polygons of a map into a file."""
    with tempfile.TemporaryDirectory(dir=options.worker.parent) as folder:
        written = geoseg.vectorize(
            options.worker,
            Path(folder, f"polygons.{options.format}"),
            options=geoseg.PolygonOptions(
                simplify=f"{TOLERANCE_PX}px", min_area=options.min_area
            ),
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "side": options.sizes[0],
        "polygons": len(written),
        "peak": peak * (1 if sys.platform == "darwin" else 1024),
        "cpu": round(time.process_time(), 1),
    }


if __name__ == "__main__":
    main()
