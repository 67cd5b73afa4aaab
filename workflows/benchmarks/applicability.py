"""What a map of the ground that a model has no business with costs a run.

    python workflows/benchmarks/applicability.py --side 4096

A classifier of pixels is fitted to the sample's labels, so that it keeps a thousand of
the pixels that it learned from. A scene of ten bands, mirrored from the sample, is
mapped with it, with `applicability.tif` and without, each in a process of its own, in
turns, the best of `--repeats`. What the one takes more is reading scene and map once
more, holding each pixel against the thousand, and writing a COG.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from held_out import LABELS, SCENE

import geoseg


def main() -> None:
    """Measure both runs, print what the map takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4096, help="of the scene, pixels")
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        folder, asked = given.worker
        print(json.dumps(measure(Path(folder), asked=asked == "with")))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_scene(Path(folder, "scene.tif"), given.side)
        how = geoseg.TrainOptions(architecture="pixel", head="discriminant")
        geoseg.train([SCENE], LABELS, Path(folder, "model"), options=how)
        best: dict[str, list[float]] = {}
        for side in ["without", "with"] * given.repeats:
            command = [sys.executable, __file__, "--worker", folder, side]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # this very file
            best[side] = min(json.loads(done.stdout), best.get(side, [np.inf]))
    cpu, wall = (b - a for a, b in zip(best["without"], best["with"], strict=True))
    megapixels = given.side**2 / 1e6
    print(
        f"{megapixels:.1f} Mpx: {cpu:.1f} CPU s and {wall:.1f} s more, "
        f"{megapixels / cpu:.2f} Mpx a CPU second, {megapixels / wall:.2f} Mpx/s"
    )


def make_scene(path: Path, side: int) -> None:
    """Mirror the sample to a square."""
    with rasterio.open(SCENE) as sample:
        pixels, profile = sample.read(), sample.profile
        names = sample.descriptions
    margins = ((0, 0), *((0, max(side - n, 0)) for n in pixels.shape[1:]))
    pixels = np.pad(pixels, margins, mode="symmetric")[:, :side, :side]
    profile |= {"height": side, "width": side, "tiled": True}
    profile |= {"blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as scene:
        scene.write(pixels)
        scene.descriptions = names


def measure(folder: Path, *, asked: bool) -> list[float]:
    """Map the scene; give seconds of CPU and of the clock."""
    how = geoseg.SegmentOptions(
        model=folder / "model",
        applicability=asked,
        formats="none",
        report_size=0,
        overwrite=True,
    )
    began, started = time.process_time(), time.perf_counter()
    geoseg.segment(folder / "scene.tif", folder / f"out-{asked}", options=how)
    return [time.process_time() - began, time.perf_counter() - started]


if __name__ == "__main__":
    main()
