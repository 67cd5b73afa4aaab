"""A linear head on AlphaEarth's layout beside reading and decoding the file alone.

Makes a file of 64 int8 bands with names and overviews (zstd, tiles of 256 px) from
noise around three directions, fits a discriminant to points, and times, each in a
process of its own: rasterio reading the file window by window; geoseg reading it
dequantised; and `geoseg.segment` without polygons, of which mapping alone (reading,
head, stitching) is a row of its own. The file's tiles are not those that a run reads,
so that some are decoded twice; with `--aligned` they are.
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

import geopandas
import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.windows import Window as Part
from shapely import points

import geoseg

STEP = 1024
TILE = 256


def plane(*, aligned: bool) -> Affine:
    """Give a plane of 10 m whose tiles are those of a run's lattice, or are not."""
    left, top = (195.0, 2148.0) if aligned else (195.3125, 2148.4375)
    return Affine(10, 0, left * TILE * 10, 0, -10, top * TILE * 10)


def write_field(path: Path, side: int, transform: Affine) -> np.ndarray:
    """Write a field of a side in pixels; give its classes, (y, x)."""
    row, col = np.ogrid[:side, :side]
    truth = (row // 64 + col // 64) % 3
    centres = np.random.default_rng(7).normal(size=(3, 64)) / 8
    shape = {"count": 64, "height": side, "width": side, "dtype": "int8"}
    tiles = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "zstd"}
    with rasterio.open(
        path, "w", driver="GTiff", crs=32632, transform=transform, nodata=-128,
        BIGTIFF="YES", NUM_THREADS=2, **shape, **tiles,
    ) as dataset:  # fmt: skip
        dataset.descriptions = tuple(f"A{n:02}" for n in range(64))
        for top in range(0, side, TILE):
            part = truth[top : top + TILE]
            rng = np.random.default_rng(top)
            values = centres[part].transpose(2, 0, 1).astype(np.float32)
            values += rng.normal(0, 0.05, values.shape).astype(np.float32)
            numbers = np.rint(np.sign(values) * np.sqrt(np.abs(values)) * 127.5)
            dataset.write(
                numbers.clip(-127, 127).astype(np.int8),
                window=Part(0, top, side, len(part)),
            )
    with rasterio.open(path, "r+", COMPRESS_OVERVIEW="zstd") as dataset:
        dataset.build_overviews([2, 4, 8, 16], Resampling.nearest)
    return truth


def fit(folder: Path, truth: np.ndarray, transform: Affine) -> None:
    """Fit a discriminant to three hundred points."""
    rows, cols = np.random.default_rng(1).integers(0, len(truth), (2, 300))
    x, y = transform @ (cols + 0.5, rows + 0.5)
    geopandas.GeoDataFrame(
        {"class": np.array(["a", "b", "c"])[truth[rows, cols]]},
        geometry=points(x, y),
        crs=32632,
    ).to_file(folder / "points.gpkg")
    options = geoseg.TrainOptions(head="discriminant")
    geoseg.train(
        [folder / "field.tif"],
        folder / "points.gpkg",
        folder / "model",
        options=options,
    )


def work(what: str, folder: Path) -> float | None:
    """Do one of the things that are compared; of a map give its seconds of mapping."""
    if what == "read and decode":
        with rasterio.open(folder / "field.tif") as dataset:
            for top in range(0, dataset.height, STEP):
                for left in range(0, dataset.width, STEP):
                    dataset.read(window=Part(left, top, STEP, STEP))
    elif what == "read dequantised":
        scene = geoseg.open_scene(folder / "field.tif")
        for top in range(0, scene.geobox.height, STEP):
            for left in range(0, scene.geobox.width, STEP):
                scene.read(geoseg.Window(top, left, STEP, STEP))
    else:
        options = geoseg.SegmentOptions(model=folder / "model", formats="none")
        made = geoseg.segment(folder / "field.tif", folder / "map", options=options)
        return made.timings_s["infer"]
    return None


def timed(what: str, folder: Path) -> dict[str, float]:
    """Time it in a process of its own: wall and CPU seconds, and gigabytes at most."""
    result = subprocess.run(  # noqa: S603  # this very script
        [sys.executable, __file__, "--work", what, str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--aligned", action="store_true")
    parser.add_argument("--work", nargs=2)
    asked = parser.parse_args()
    if asked.work:
        began, used = time.perf_counter(), time.process_time()
        mapping = work(asked.work[0], Path(asked.work[1]))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        wall, cpu = time.perf_counter() - began, time.process_time() - used
        found = {"s": wall, "CPU s": cpu, "GB": most, "mapping": mapping}
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        transform = plane(aligned=asked.aligned)
        truth = write_field(folder / "field.tif", asked.side, transform)
        fit(folder, truth, transform)
        floor = None
        print("| | s | CPU s | times the first | of CPU | GB |\n|---|" + "---:|" * 5)
        for what in ("read and decode", "read dequantised", "segment"):
            found = timed(what, folder)
            floor = floor or found
            print(
                f"| {what} | {found['s']:.1f} | {found['CPU s']:.1f} "
                f"| {found['s'] / floor['s']:.2f} "
                f"| {found['CPU s'] / floor['CPU s']:.2f} | {found['GB']:.2f} |"
            )
            if mapping := found["mapping"]:
                times = mapping / floor["s"]
                print(f"| mapping alone | {mapping:.1f} | | {times:.2f} | | |")


if __name__ == "__main__":
    main()
