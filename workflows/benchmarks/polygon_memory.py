"""How much memory do polygons take, over the size of the map?

    python workflows/benchmarks/polygon_memory.py --sizes 4096 8192 --json figures.json

The map of `vectorize.py`, repeated while it is read, so that the raster takes none.
Simplified polygons are drawn and written to a file, or drawn alone in part
(``--rows``), which shows what a map of any size needs: rows are drawn some at a time,
and of all there is in memory before the first. Each size is a process of its own; the
smallest, of 256 px, is what libraries and compiled kernels take.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import CRS
from vectorize import fetch_map, legend_of

from geoseg import GeoBox, Window
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygonize import write_drawn
from geoseg.vectorize.polygons import Polygons, draw_polygons

LEAST = 256
TOLERANCE_PX = 1.5


@dataclass
class RepeatedMap:
    """A map and its mirror images, repeated without end."""

    seed: np.ndarray
    side: int

    @property
    def geobox(self) -> GeoBox:
        """Place the map somewhere in UTM."""
        plane = Affine(10, 0, 300_000, 0, -10, 5_800_000)
        return GeoBox(self.side, self.side, plane, CRS.from_epsg(32633))

    def read(self, window: Window) -> np.ndarray:
        """Read a window."""
        picked = []
        for span, length in zip(window.slices(), self.seed.shape, strict=True):
            places = np.arange(span.start, span.stop) % (2 * length)
            picked.append(np.minimum(places, 2 * length - 1 - places))
        return self.seed[np.ix_(*picked)]


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--min-area", type=float, default=0, help="in pixels")
    parser.add_argument("--rows", type=int, help="draw so many, and write nothing")
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
    words = [__file__, "--worker", seed, "--sizes", size]
    words += ["--min-area", options.min_area]
    words += ["--rows", options.rows] if options.rows is not None else []
    words += ["--format", options.format]
    answer = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, *map(str, words)], check=True, capture_output=True, text=True
    )
    return json.loads(answer.stdout)


def measure(options: argparse.Namespace) -> dict:
    """Draw and write the polygons of a square, or draw some of them."""
    pixels, size, rows = np.load(options.worker), options.sizes[0], options.rows
    with tempfile.TemporaryDirectory(dir=options.worker.parent) as folder:
        drawn = draw_polygons(
            RepeatedMap(pixels, size),
            legend=legend_of(pixels),
            confidence=None,
            drawing=Drawing(tolerance=TOLERANCE_PX, min_pixels=options.min_area),
            scratch=Path(folder),
        )
        path = Path(folder, f"polygons.{options.format}")
        count = write(drawn, pixels, path) if rows is None else draw(drawn, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "side": size,
        "polygons": count,
        "peak": peak * (1 if sys.platform == "darwin" else 1024),
        "cpu": round(time.process_time(), 1),
    }


def write(drawn: Polygons, pixels: np.ndarray, path: Path) -> int:
    """Write all polygons, and count them."""
    legend = legend_of(pixels)
    return len(write_drawn(drawn, [path], legend=legend, scratch=path.parent))


def draw(drawn: Polygons, rows: int) -> int:
    """Draw so many polygons or a few more, and count them."""
    count = 0
    for frame in drawn.batches():
        count += len(frame)
        if count >= rows:
            break
    return count


if __name__ == "__main__":
    main()
