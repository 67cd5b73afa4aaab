"""A model in torch beside the ONNX files that `geoseg models export` makes of it.

    python workflows/benchmarks/export.py sentinel2-landcover

The argument is a name, a folder, or what `geoseg models import` takes, such as a copy
of google/dynamicworld. The model maps the sample in float32 and in bfloat16; so do its
exports in float32 and in integers of 8 bits, taken back by `geoseg models import`. Each
side has a process of its own, in turns, whose first map, of a corner, is not counted:
CPU seconds are those of a whole run over imagery of ten bands, without polygons and
page. Labels are held against those of torch in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import rasterio

import geoseg

if TYPE_CHECKING:
    import numpy as np

SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"
CORNER = 512
"""Side of what is mapped first, in pixels."""
SIDES = {
    "torch, float32": ("package", "float32"),
    "torch, bfloat16": ("package", "bfloat16"),
    "ONNX Runtime, float32": ("onnx", "auto"),
    "ONNX Runtime, int8": ("int8", "auto"),
}
"""The package of each side, and the precision that is asked for."""


def main() -> None:
    """Export the model, measure each side, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="sentinel2-landcover")
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(measure(given.side[0], Path(given.side[1])))
        return
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        make_packages(given.model, folder)
        seconds = {
            side: min(in_a_process(side, folder) for _ in range(given.repeats))
            for side in SIDES
        }
        labels = {side: labels_of(side, folder) for side in SIDES}
    first = labels["torch, float32"]
    megapixels = first.size / 1e6
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print("| | CPU s / Mpx | labels as in float32 |\n|---|---:|---:|")
    same = {side: float((each == first).mean()) for side, each in labels.items()}
    for side, cpu in seconds.items():
        print(f"| {side} | {cpu / megapixels:.2f} | {same[side]:.4%} |")
    if given.json:
        record = {"cpu_s_mpx": seconds, "megapixels": megapixels, "same": same}
        given.json.write_text(json.dumps(record, indent=1) + "\n")


def make_packages(model: str, folder: Path) -> None:
    """Make a package of the model, and of each of its exports."""
    if model in geoseg.known_models() or Path(model, "mlm.json").exists():
        package = geoseg.load_package(model).path
        (folder / "package").symlink_to(package)
    else:
        geoseg.import_model(model, folder / "package")
    about = described(geoseg.load_package(folder / "package"))
    for name in ("onnx", "int8"):
        how = geoseg.ExportOptions(int8=name == "int8", force=True)
        file = folder / f"{name}.onnx"
        geoseg.export_model(folder / "package", file, options=how)
        geoseg.import_model(file, folder / name, about=about)
    with rasterio.open(SAMPLE) as sample:
        window = rasterio.windows.Window(0, 0, CORNER, CORNER)
        profile = sample.profile | {"width": CORNER, "height": CORNER}
        with rasterio.open(folder / "corner.tif", "w", **profile) as corner:
            corner.write(sample.read(window=window))
            corner.descriptions = sample.descriptions


def described(package: geoseg.ModelPackage) -> geoseg.NewPackage:
    """Say of an export what its file does not: it gives probabilities."""
    return geoseg.NewPackage(
        bands=tuple(band.name for band in package.bands),
        classes=tuple(each.name for each in package.legend),
        mean=tuple(band.mean for band in package.bands),
        std=tuple(band.std for band in package.bands),
        scale=package.scale,
        dtype=package.dtype,
        gsd_m=package.gsd_m,
        tile=package.tile,
        overlap=package.overlap,
        stride=package.stride,
        activation="none",
    )


def in_a_process(side: str, folder: Path) -> float:
    """Measure one side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # this very file
    return float(done.stdout)


def measure(side: str, folder: Path) -> float:
    """Map the corner, then the sample; give the CPU seconds of the second map."""
    package, precision = SIDES[side]
    how = geoseg.SegmentOptions(
        model=folder / package,
        precision=precision,
        formats="none",
        report_size=0,
        overwrite=True,
    )
    geoseg.segment(folder / "corner.tif", folder / "first", options=how)
    started = time.process_time()
    geoseg.segment(SAMPLE, map_of(side, folder), options=how)
    return time.process_time() - started


def map_of(side: str, folder: Path) -> Path:
    """Say where the map of a side is."""
    return folder / f"map-{list(SIDES).index(side)}"


def labels_of(side: str, folder: Path) -> np.ndarray:
    """Read the map of a side."""
    with rasterio.open(map_of(side, folder) / "landcover.tif") as source:
        labels: np.ndarray = source.read(1)
        return labels


if __name__ == "__main__":
    main()
