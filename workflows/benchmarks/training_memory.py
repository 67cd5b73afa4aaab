"""How much memory a training takes on one scene, and on several of the same size.

    python workflows/benchmarks/training_memory.py --side 1500 --scenes 1,6

Makes scenes of noise in four bands with labels everywhere, trains a few steps on the
first of them and on all, each in a process of its own, and prints the most memory that
either took. Chips are read where they are drawn, so it should hardly grow.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

BANDS = ("B02", "B03", "B04", "B08")
ENCODER = "tu-tf_efficientnet_lite0"


def make_scene(path: Path, side: int, number: int) -> None:
    """Write a scene of noise, and beside it nothing else."""
    random = np.random.default_rng(number)
    profile = {
        "driver": "GTiff", "crs": "EPSG:32633", "count": len(BANDS), "dtype": "uint16",
        "height": side, "width": side, "tiled": True, "nodata": 0,
        "transform": Affine(10, 0, 400_000 + 10 * side * number, 0, -10, 5_800_000),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for band, name in enumerate(BANDS, start=1):
            dataset.write(random.integers(1, 4000, (side, side), np.uint16), band)
            dataset.set_band_description(band, name)


def make_labels(path: Path, side: int, scenes: int) -> None:
    """Write a raster of two classes, in stripes, over all scenes."""
    profile = {
        "driver": "GTiff", "crs": "EPSG:32633", "count": 1, "dtype": "uint8",
        "height": side, "width": side * scenes, "compress": "deflate", "nodata": 255,
        "transform": Affine(10, 0, 400_000, 0, -10, 5_800_000),
    }  # fmt: skip
    stripes = (np.arange(side * scenes) // 50 % 2 + 1).astype(np.uint8)
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side, 500):
            rows = np.tile(stripes, (min(500, side - row), 1))
            window = rasterio.windows.Window(0, row, side * scenes, len(rows))
            dataset.write(rows, 1, window=window)


def train_once(folder: Path, scenes: int) -> None:
    """Train a few steps, and print this process's most memory in bytes."""
    import geoseg  # noqa: PLC0415  # the process that is measured alone

    options = geoseg.TrainOptions(
        architecture="Unet", encoder=ENCODER, encoder_weights="none", epochs=1, steps=4,
        batch=4, block=256, chip=128, device="cpu",
    )  # fmt: skip
    paths = [folder / f"scene{number}.tif" for number in range(scenes)]
    geoseg.train(paths, folder / "labels.tif", folder / f"m{scenes}", options=options)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)  # its answer


def main() -> None:
    """Make scenes, train on some and on all, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1500)
    parser.add_argument("--scenes", default="1,6")
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        return train_once(Path(asked.once[0]), int(asked.once[1]))
    counts = [int(each) for each in asked.scenes.split(",")]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number in range(max(counts)):
            make_scene(folder / f"scene{number}.tif", asked.side, number)
        make_labels(folder / "labels.tif", asked.side, max(counts))
        for count in counts:
            command = [sys.executable, __file__, "--once", made, str(count)]
            answer = subprocess.run(  # noqa: S603  # this very file
                command, check=True, capture_output=True, text=True
            )
            peak = int(answer.stdout.split()[-1]) / 2**20
            said = f"{count} scenes of {asked.side} x {asked.side}: {peak:,.0f} MiB"
            print(said, flush=True)
    return None


if __name__ == "__main__":
    main()
