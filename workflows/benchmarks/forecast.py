"""Does a run take what `geoseg plan` says? Five cases, planned, run, and planned again.

    python workflows/benchmarks/forecast.py --json forecast.json

The scene of `throughput.py`, its near-free model and its ResNet-18 U-Net. Each plan and
each run is a process of its own; rates of the machine are measured before the first.
The plan after the run is of a scene that was planned before: its seconds are those of
the whole process, imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from throughput import make_package, make_scene

import geoseg

CASES = {
    "near-free, no polygons": ("near-free", "none", {}),
    "near-free, GeoPackage, merged": (
        "near-free",
        "gpkg",
        {"min_area": "10px", "simplify": "1.5px"},
    ),
    "near-free, FlatGeobuf": ("near-free", "fgb", {"simplify": "1.5px"}),
    "near-free, GeoJSON, merged": (
        "near-free",
        "geojson",
        {"min_area": "20px", "simplify": "1.5px"},
    ),
    "ResNet-18 U-Net, no polygons": ("resnet18", "none", {}),
}


def main() -> None:
    """Measure every case, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4096, help="of the scene, pixels")
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*options.worker)))
        return
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        make_scene(Path(folder, "scene.tif"), options.side)
        for model in sorted({CASES[case][0] for case in options.cases}):
            make_package(Path(folder, model), model)
        for case in options.cases:
            figures[case] = {
                "planned": run_worker("plan", case, folder),
                "run": run_worker("segment", case, folder),
                "planned again": run_worker("plan", case, folder),
            }
            show(case, figures[case])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def run_worker(what: str, case: str, folder: str) -> dict:
    """Plan or run in a process of its own; give stages and the whole process's time."""
    begin = time.perf_counter()
    answer = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, __file__, "--worker", what, case, folder],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GEOSEG_CACHE": f"{folder}/cache"},
    )
    return {**json.loads(answer.stdout), "process": time.perf_counter() - begin}


def measure(what: str, case: str, folder: str) -> dict:
    """Plan or run a case: seconds of each stage."""
    model, formats, polygons = CASES[case]
    options = geoseg.SegmentOptions(
        model=Path(folder, model),
        formats=(formats,),
        polygons=geoseg.PolygonOptions(**polygons),
    )
    scene = Path(folder, "scene.tif")
    if what == "plan":
        told = geoseg.plan(scene, options=options)
        return {"stages": told.seconds_by_stage, "vectors": told.vectors_bytes}
    with tempfile.TemporaryDirectory(dir=folder) as output:
        report = geoseg.segment(scene, output, options=options)
        files = [Path(output, f"landcover.{formats}")] if formats != "none" else []
        size = sum(each.stat().st_size for each in files)
    stages = {k: v for k, v in report.timings_s.items() if k != "prepare"}
    return {"stages": stages, "vectors": size, "cpu": time.process_time()}


def show(case: str, found: dict) -> None:
    """Print a case: each stage as planned and as it was, and the whole."""
    planned, run = found["planned"]["stages"], found["run"]["stages"]
    said, was = sum(planned.values()), sum(run.values())
    parts = ", ".join(
        f"{name} {planned.get(name, 0):.1f} / {seconds:.1f}"
        for name, seconds in run.items()
    )
    again = found["planned again"]["process"]
    print(f"{case}: {said:.1f} s planned, {was:.1f} s taken ({said / was:.2f})")
    print(f"  {parts}; vectors {found['planned']['vectors'] / 1e6:.1f} MB planned, ")
    print(f"  {found['run']['vectors'] / 1e6:.1f} MB written; again in {again:.1f} s")


if __name__ == "__main__":
    main()
