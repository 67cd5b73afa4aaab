"""What reading many sheets, another grid and a slow server cost.

    python workflows/benchmarks/scenes.py [--side 4096] [--sheets 400] [--members 10000]

Beside each figure stands what it is measured against, in the same process: a mosaic and
a warped scene beside one tiled GeoTIFF of the same pixels, a server with 50 ms latency
beside the disk. Reading is what a run with a near-free model does; three threads read
blocks, as in a run. Nothing here is a test; compare figures of one table only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from geoseg.grid import Window
from geoseg.scene import Scene, SceneOptions, open_scene

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from web import served  # the tests' server, with latency

SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"
BANDS = (0, 1, 2, 3)
TILED = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}


def write(path: Path, pixels: np.ndarray, col: int = 0, row: int = 0) -> None:
    """Write pixels (band, y, x) that begin at a row and column of the plane."""
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    place = Affine(10, 0, 330_000 + 10 * col, 0, -10, 5_822_040 - 10 * row)
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **shape, **TILED
    ) as dataset:
        dataset.write(pixels)


def read_all(scene: Scene, block: int = 1024) -> float:
    """Read a scene block by block in three threads: Mpx a second."""
    windows = [
        window
        for row in range(0, scene.georef.height, block)
        for col in range(0, scene.georef.width, block)
        if (window := Window(row, col, block, block).intersection(scene.window))
    ]
    started = time.perf_counter()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda window: scene.read(window, BANDS)[1].any(), windows))
    return scene.window.pixels / (time.perf_counter() - started) / 1e6


def open_twice(folder: Path, members: int) -> tuple[float, float]:
    """Open a folder of small sheets twice: seconds each."""
    pixels = np.ones((1, 16, 16), np.uint8)
    for index in range(members):
        row, col = divmod(index, 100)
        write(folder / f"{index:06}.tif", pixels, 16 * col, 16 * row)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        open_scene(folder)
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--sheets", type=int, default=400)
    parser.add_argument("--members", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GEOSEG_CACHE"] = str(folder / "cache")
        with rasterio.open(SAMPLE) as dataset:
            pixels = dataset.read([1, 2, 3, 7])
        margins = ((0, 0), *((0, max(given.side - n, 0)) for n in pixels.shape[1:]))
        pixels = np.pad(pixels, margins, mode="symmetric")
        pixels = pixels[:, : given.side, : given.side]
        write(folder / "one.tif", pixels)
        sheets, many = folder / "sheets", folder / "many"
        sheets.mkdir()
        many.mkdir()
        across = round(given.sheets**0.5)
        edges = [given.side * index // across for index in range(across + 1)]
        for row, (top, bottom) in enumerate(pairwise(edges)):
            for left, right in pairwise(edges):
                part = pixels[:, top:bottom, left:right]
                write(sheets / f"{row:03}_{left:06}.tif", part, left, top)
        one = open_scene(folder / "one.tif")
        read_all(one)  # code is compiled and files are in memory
        plain, mosaic = read_all(one), read_all(open_scene(sheets))
        warped = open_scene(
            folder / "one.tif", SceneOptions(crs="EPSG:32632", resolution=10)
        )
        read_all(warped)
        moved = read_all(warped)
        with served(folder, delay=0.05) as (address, server):
            remote = read_all(open_scene(f"{address}/one.tif"))
            requests = server.requests
        first, second = open_twice(many, given.members)
    print("| case | figure | beside |")
    print("|---|---|---|")
    print(f"| one GeoTIFF | {plain:.1f} Mpx/s | |")
    print(f"| {across**2} sheets | {mosaic:.1f} Mpx/s | {mosaic / plain:.0%} |")
    print(f"| on another grid | {moved:.1f} Mpx/s | {moved / plain:.0%} |")
    print(
        f"| 50 ms away | {remote:.1f} Mpx/s | {remote / plain:.0%}, {requests} req. |"
    )
    print(
        f"| {given.members} headers | {second:.2f} s again | {first:.2f} s at first |"
    )


if __name__ == "__main__":
    main()
