"""Does a run with pixels that are no numbers make the same bytes each time?

    python workflows/repeat_runs.py --runs 100
    MALLOC_PERTURB_=170 python workflows/repeat_runs.py --runs 8

A corner of the sample as float32, without a nodata value, is strewn with infinities and
NaN, alone and in patches, and with a patch of numbers that are too large; it is mapped
again and again in small tiles and blocks of one. What a map owed to memory that nobody
wrote, to padding or to the order of threads would differ from run to run. With glibc's
MALLOC_PERTURB_ memory begins as other bytes than 0, and the hash must be that without.
You learn how many different maps there were; more than one is exit status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

import geoseg

SCENE = Path(__file__).parents[1] / "sample_aoi" / "scene.tif"
CORNER = Window(400, 200, 200, 180)
ALONE = 60
"""Pixels of one band for each value that is no number."""


def write_scene(path: Path) -> None:
    """Write the corner with values that no sensor measures."""
    with rasterio.open(SCENE) as source:
        pixels = source.read(window=CORNER).astype(np.float32)
        transform = source.window_transform(CORNER)
        profile = {"driver": "GTiff", "crs": source.crs, "transform": transform}
        names = source.descriptions
    count, height, width = pixels.shape
    random = np.random.default_rng(0)
    for value in (np.inf, -np.inf, np.nan):
        bands, rows, cols = (random.integers(0, n, ALONE) for n in pixels.shape)
        pixels[bands, rows, cols] = value
    pixels[:, 40:60, 90:140] = np.inf  # over a seam of four tiles
    pixels[3, 100:120, 20:60] = np.nan  # one band alone
    pixels[:, 150:153, 150:153] = np.finfo(np.float32).min  # a number, and too large
    shape = {"count": count, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, **shape) as target:
        target.write(pixels)
        target.descriptions = names


def one_run(scene: Path, output: Path, options: geoseg.SegmentOptions) -> str:
    """Map the scene and give the SHA-256 of classes and confidences."""
    geoseg.segment(scene, output, options=options)
    digest = hashlib.sha256()
    for name in ("landcover.tif", "confidence.tif"):
        digest.update((output / name).read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Run and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args()
    options = geoseg.SegmentOptions(
        tile=128,
        overlap=32,
        block=1,
        formats="none",
        restart=True,
        workers=args.workers,
        precision=args.precision,
    )
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder, "scene.tif")
        write_scene(scene)
        found = Counter(
            one_run(scene, Path(folder, "out"), options) for _ in range(args.runs)
        )
    for digest, count in found.most_common():
        print(f"{count:4} x {digest}")
    sys.exit(len(found) > 1)


if __name__ == "__main__":
    main()
