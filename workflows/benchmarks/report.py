"""What report.html costs: CPU seconds of each step of a run, in one process.

    python workflows/benchmarks/report.py --side 16384 --case near-free
    python workflows/benchmarks/report.py --side 4096 --case shipped

Maps a scene without overviews, mirrored from the sample, without polygons, and says how
many CPU seconds each step took and how large the page is. The near-free model is two
1 x 1 convolutions: with it the page costs the largest share of a run. Nothing here is
a test; compare figures of one machine only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from throughput import SAMPLE, make_package, make_scene

import geoseg


def mirror_sample(path: Path, side: int) -> None:
    """Mirror all bands of the sample, for the model that ships."""
    with rasterio.open(SAMPLE) as sample:
        pixels, profile, names = sample.read(), sample.profile, sample.descriptions
    rows, cols = (
        np.pad(np.arange(n), (0, max(side - n, 0)), mode="symmetric")[:side]
        for n in pixels.shape[1:]
    )
    profile |= {"height": side, "width": side, "tiled": True, "compress": "deflate"}
    profile |= {"blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", **profile) as scene:
        for index, (band, name) in enumerate(zip(pixels, names, strict=True), start=1):
            scene.write(band[rows[:, np.newaxis], cols], index)
            scene.set_band_description(index, name)


def main() -> None:
    """Map the scene, and print a line a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--case", choices=("near-free", "shipped"), default="near-free")
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scratch) as name:
        folder = Path(name)
        model = "sentinel2-landcover"
        if given.case == "near-free":
            make_scene(folder / "scene.tif", given.side)
            make_package(folder / "model", given.case)
            model = str(folder / "model")
        else:
            mirror_sample(folder / "scene.tif", given.side)
        marks: list[tuple[str, float]] = [("imports and checks", time.process_time())]

        def note(step: geoseg.Step) -> None:
            if step.name != marks[-1][0]:
                marks.append((step.name, time.process_time()))

        options = geoseg.SegmentOptions(formats="none", workers=0, model=model)
        geoseg.segment(
            folder / "scene.tif", folder / "out", options=options, on_step=note
        )
        marks.append(("end", time.process_time()))
        size = (folder / "out" / "report.html").stat().st_size
    total = marks[-1][1] - marks[0][1]
    for (step, begun), (_, ended) in pairwise(marks):
        print(f"{step:20} {ended - begun:8.1f} CPU s  {(ended - begun) / total:6.1%}")
    print(f"{'all':20} {total:8.1f} CPU s; report.html {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
