"""Do two checkouts of geoseg make the same products, byte for byte?

    python workflows/same_products.py OLD NEW [--json figures.json]

OLD and NEW are folders that hold `geoseg/`; both run in this Python's environment, each
job in a folder of its own under a temporary one. What a rebuilding must not change:
class maps, confidences and polygons of a plain run, an area of interest, views with a
CRF, an ensemble, a mask model and a mosaic on another grid, polygons drawn anew from a
map, and the weights of a seeded training.
Both use the model that ships with OLD, whatever NEW's says of its confidences.
You learn which product differs, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rasterio
from rasterio.windows import Window

SAMPLE = Path(__file__).parents[1] / "sample_aoi"
SCENE, AOI, LABELS = (
    str(SAMPLE / name) for name in ("scene.tif", "aoi.geojson", "labels.gpkg")
)
SMALL = ["--bbox", "12.58,52.48,12.62,52.50"]
MAPS = ["landcover.tif", "confidence.tif", "landcover.geojson"]


def jobs(folder: Path) -> dict[str, tuple[list[list[str]], list[str]]]:
    """List the jobs: commands with `{out}` for the output's folder, and products."""
    west, east = halves(folder)
    twin = str(folder / "twin")
    model = ["--model", str(folder / "model")]
    segment = ["segment", SCENE, "-o", "{out}", *model]
    return {
        "plain": ([segment], MAPS),
        "area": ([[*segment, "--aoi", AOI]], MAPS),
        "views and CRF": ([[*segment, *SMALL, "--tta", "d4", "--crf"]], MAPS),
        "ensemble": (
            [[*segment, *SMALL, "--model", twin]],
            MAPS,
        ),
        "mask model": (
            [[*segment, *SMALL, "--mask-model", twin, "--mask-classes", "water"]],
            MAPS,
        ),
        "mosaic on another grid": (
            [["segment", west, east, "-o", "{out}", "--crs", "EPSG:32632",
              "--resolution", "10", "--resample", *model]],
            MAPS,
        ),
        "polygons": (
            [
                segment,
                ["vectorize", "{out}/landcover.tif", "-o", "{out}/tidy.geojson",
                 "--min-area", "0.5ha", "--simplify", "15m"],
            ],
            ["tidy.geojson"],
        ),
        "training": (
            [["train", SCENE, "--labels", LABELS, "--class-field", "class", "-o",
              "{out}", "--epochs", "1", "--steps", "3", "--encoder-weights", "none"]],
            ["model.safetensors"],
        ),
    }  # fmt: skip


def halves(folder: Path) -> tuple[str, str]:
    """Cut the sample into two files that overlap by a few columns."""
    names = []
    with rasterio.open(SCENE) as scene:
        middle = scene.width // 2
        for name, start, stop in (
            ("west", 0, middle + 8),
            ("east", middle, scene.width),
        ):
            window = Window(start, 0, stop - start, scene.height)
            profile = scene.profile | {
                "width": stop - start,
                "transform": scene.window_transform(window),
            }
            path = folder / f"{name}.tif"
            with rasterio.open(path, "w", **profile) as half:
                half.write(scene.read(window=window))
                half.descriptions = scene.descriptions
            names.append(str(path))
    return names[0], names[1]


def digests(
    checkout: Path, package: Path, folder: Path, only: list[str]
) -> dict[str, str]:
    """Run all jobs with one checkout and give the SHA-256 of each product."""
    found = {}
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    for name in ("model", "twin"):
        shutil.copytree(package, folder / name)
    for name, (commands, products) in jobs(folder).items():
        if only and name not in only:
            continue
        out = folder / name.replace(" ", "-")
        for command in commands:
            words = [word.replace("{out}", str(out)) for word in command]
            subprocess.run(  # noqa: S603  # our own command line
                [sys.executable, "-m", "geoseg", *words, "--quiet"],
                env=environment,
                cwd=folder,
                check=True,
            )
        for product in products:
            digest = hashlib.sha256((out / product).read_bytes()).hexdigest()
            found[f"{name}: {product}"] = digest
    return found


def main() -> int:
    """Compare two checkouts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of jobs")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sides = []
    for checkout in (given.old, given.new):
        with tempfile.TemporaryDirectory() as folder:
            package = given.old / "geoseg" / "models" / "shipped"
            sides.append(digests(checkout.resolve(), package, Path(folder), given.only))
    old, new = sides
    for product, digest in old.items():
        print(f"{'same   ' if new[product] == digest else 'DIFFERS'}  {product}")
    if given.json:
        given.json.write_text(json.dumps({"old": old, "new": new}, indent=2))
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
