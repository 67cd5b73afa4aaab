"""What reading and mapping on another grid cost.

    python workflows/benchmarks/grids.py [--side 4096]

The near-free model's scene of throughput.py is read on other grids block by block in
three threads, as in a run; then it is mapped by that model on its own grid and another.
Two halves of it, one in each of two UTM zones, are read as one mosaic. Figures are
megapixels of the grid, a second of the clock and of CPU; a map's seconds are those of
inference and rasters, its CPU seconds of all, the preview too. Nothing here is a test;
compare figures of one table only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import rasterio
import rasterio.windows
from scenes import read_all
from throughput import BANDS, cpu_seconds, make_package, make_scene

from geoseg import Scene, SceneOptions, SegmentOptions, Window, open_scene, segment

MOVED: dict[str, Any] = {"crs": "EPSG:32632", "resolution": 10}
GRIDS: dict[str, dict[str, Any]] = {
    "its own": {},
    "next zone, bilinear": MOVED,
    "next zone, cubic": {**MOVED, "resampling": "cubic"},
    "next zone, nearest": {**MOVED, "resampling": "nearest"},
    "next zone, 30 m, bilinear": {**MOVED, "resolution": 30},
    "next zone, 30 m, cubic": {**MOVED, "resolution": 30, "resampling": "cubic"},
    "next zone, 5 m, bilinear": {**MOVED, "resolution": 5},
}


def measure_reading(name: str, scene: Scene) -> None:
    """Read a scene twice and print a row of the second time."""
    read_all(scene)  # code is compiled and files are in memory
    started, cpu = time.perf_counter(), cpu_seconds()
    read_all(scene)
    row(name, scene.window.pixels, time.perf_counter() - started, cpu_seconds() - cpu)


def measure_mapping(folder: Path, name: str, chosen: dict[str, Any]) -> None:
    """Map the scene with the near-free model and print a row."""
    options = SegmentOptions(
        model=folder / "model",
        scene=SceneOptions(**chosen),
        formats="none",
        report_size=0,
    )
    cpu = cpu_seconds()
    report = segment(folder / "scene.tif", folder / name, options=options)
    cpu = cpu_seconds() - cpu
    seconds = report.timings_s["infer"] + report.timings_s["raster"]
    row(f"map, {name}", report.open().size, seconds, cpu)


def row(name: str, pixels: int, seconds: float, cpu: float) -> None:
    """Print a row of the table."""
    print(
        f"| {name} | {pixels / 1e6:.1f} | {seconds:.2f} | {cpu:.2f} | "
        f"{pixels / seconds / 1e6:.1f} | {pixels / cpu / 1e6:.1f} |",
        flush=True,
    )


def cut_in_two_zones(folder: Path) -> Path:
    """Write the west of the scene as it is, and its east as the next zone has it."""
    halves = folder / "halves"
    halves.mkdir()
    with rasterio.open(folder / "scene.tif") as dataset:
        width, profile = dataset.width // 2, dataset.profile
        west = dataset.read(window=rasterio.windows.Window(0, 0, width, dataset.height))
    with rasterio.open(halves / "west.tif", "w", **profile | {"width": width}) as file:
        file.write(west)
        file.descriptions = BANDS  # else the fourth byte would be taken for alpha
    east = open_scene(folder / "scene.tif", SceneOptions(**MOVED))
    window = Window(0, width, east.geobox.height, east.geobox.width - width)
    pixels, _ = east.read(window, (0, 1, 2, 3))
    plane = east.geobox.crop(window)
    profile_of = {"transform": plane.transform, "crs": MOVED["crs"]}
    profile_of |= {"height": plane.height, "width": plane.width}
    with rasterio.open(halves / "east.tif", "w", **profile | profile_of) as file:
        file.write(pixels)
        file.descriptions = BANDS
    return halves


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GEOSEG_CACHE"] = str(folder / "cache")
        make_scene(folder / "scene.tif", given.side)
        make_package(folder / "model", "near-free")
        print("| grid | Mpx | s | CPU s | Mpx/s | Mpx/CPU s |")
        print("|---|---:|---:|---:|---:|---:|")
        for grid, chosen in GRIDS.items():
            scene = open_scene(folder / "scene.tif", SceneOptions(**chosen))
            measure_reading(f"read, {grid}", scene)
        zones = SceneOptions(crs="EPSG:3035", resolution=10)
        measure_reading("read, two zones", open_scene(cut_in_two_zones(folder), zones))
        for grid in ("its own", "next zone, bilinear"):
            measure_mapping(folder, grid, GRIDS[grid])


if __name__ == "__main__":
    main()
