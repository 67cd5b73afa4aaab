"""Many small scenes on one cluster: are the workers busy across the scenes' borders?

    python workflows/benchmarks/many_scenes.py --scenes 200 --workers 2

Cuts the sample into small scenes, maps each into a folder of its own on worker
processes of this machine, and reads from the timeline of that how long each worker
read, computed or wrote, of the time from the first block to the last. Prints that
share, that time, the seconds until the last map was there, and a digest of rasters,
polygons and previews, which is the same however they were made: run it with two
versions of geoseg on the path to compare them. Scenes are checked, and workers started,
before that time begins. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import rasterio
from rasterio.windows import Window

import geoseg

MAPS = {".tif", ".geojson", ".png"}
SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"


def cut(folder: Path, count: int, side: int) -> list[Path]:
    """Cut scenes of so many pixels a side out of the sample, each somewhere else."""
    scenes = []
    with rasterio.open(SAMPLE) as sample:
        for number in range(count):
            row = 37 * number % (sample.height - side)
            col = 53 * number % (sample.width - side)
            window = Window(col, row, side, side)
            profile = sample.profile | {
                "width": side,
                "height": side,
                "transform": sample.window_transform(window),
            }
            scenes.append(folder / f"scene{number:04}.tif")
            with rasterio.open(scenes[-1], "w", **profile) as scene:
                scene.write(sample.read(window=window))
                scene.descriptions = sample.descriptions
    return scenes


def busy(timeline: Path) -> tuple[float, float]:
    """Return the share of the time in which workers work, and how long that time is.

    A worker works while any of its threads reads, computes or writes for a block.
    """
    laps = defaultdict(list)
    for event in json.loads(timeline.read_text()):
        if event["ph"] == "X" and event["pid"] > 1 and event["name"] != "wait":
            laps[event["pid"]].append((event["ts"], event["ts"] + event["dur"]))
    begin = min(start for each in laps.values() for start, _ in each)
    end = max(stop for each in laps.values() for _, stop in each)
    worked = 0
    for each in laps.values():
        until = begin
        for start, stop in sorted(each):
            worked += max(stop - max(start, until), 0)
            until = max(until, stop)
    return worked / len(laps) / (end - begin), (end - begin) / 1e6


def main() -> None:
    """Map them, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--side", type=int, default=300, help="pixels of a scene")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tta", default="none", help="views of a tile: more to infer")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        options = geoseg.SegmentOptions(
            workers=asked.workers, tta=asked.tta, trace=folder / "timeline.json"
        )
        scenes = cut(folder, asked.scenes, asked.side)
        began: list[float] = []

        def look(step: geoseg.Step) -> None:
            if step.name == "infer" and not began:
                began.append(time.perf_counter())

        maps = geoseg.segment_each(
            scenes, folder / "maps", options=options, on_step=look
        )
        took = time.perf_counter() - began[0]
        share, window = busy(folder / "timeline.json")
        digest = hashlib.sha256()
        for name, report in maps.items():
            for product, checksum in sorted(report.checksums.items()):
                if Path(product).suffix in MAPS:  # others name where their scene is
                    digest.update(f"{name} {product} {checksum}".encode())
    found = {
        "geoseg": str(Path(geoseg.__file__).parent),
        "scenes": f"{asked.scenes} of {asked.side} px, views: {asked.tta}",
        "workers": asked.workers,
        "workers busy": round(share, 3),
        "seconds of inference": round(window, 1),
        "seconds until the last map": round(took, 1),
        "products": digest.hexdigest()[:16],
    }
    for name, value in found.items():
        print(f"{name:28}{value}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
