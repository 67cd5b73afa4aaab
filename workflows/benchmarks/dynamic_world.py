"""Dynamic World's network beside ONNX Runtime's reading of it, on the same tiles.

    python workflows/benchmarks/dynamic_world.py dynamicworld/

The argument is what `geoseg models import` takes: a copy of google/dynamicworld, or
dynamic-world where there is a network. The network is imported, exported with
`geoseg.export_model`, and both map the same tiles of the sample: torch as a run of
geoseg computes (batch normalisation folded, channels last) in float32 and in bfloat16,
ONNX Runtime left to itself with the exported file. Each side has a process and as many
threads, all in one call, in turns. CPU seconds are those of the tiles alone.
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

import numpy as np
import onnxruntime
import rasterio
import torch

import geoseg
from geoseg import ExportOptions, load_package
from geoseg.predict.compute import Compute
from geoseg.predict.loaded_model import LoadedModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"
SIDES = ("torch float32", "torch bfloat16", "ONNX Runtime float32")
ONNX = "dynamic-world.onnx"


def main() -> None:
    """Import and export the network, measure each side, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="what geoseg models import takes")
    parser.add_argument("--tiles", type=int, default=4, help="of 512 x 512 px")
    parser.add_argument("--threads", type=int, default=1, help="of each side")
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        measure(options.side, Path(options.source), options.tiles, options.threads)
        return
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        package = geoseg.import_model(options.source, folder / "package")
        write_corner(folder / "scene.tif", package.tile)
        options_of_export = ExportOptions(scene=str(folder / "scene.tif"))
        geoseg.export_model(package.path, folder / ONNX, options=options_of_export)
        np.save(folder / "tiles.npy", some_tiles(package, options.tiles))
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(options.repeats):
            for side, rows in found.items():
                rows.append(in_a_process(side, folder, options))
        best = {s: min(r, key=lambda each: each["cpu_s"]) for s, r in found.items()}
        equal = same_labels(folder)
    processor = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{processor}, {options.threads} threads a side, {options.tiles} tiles")
    print(f"torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}")
    print("| | CPU s / Mpx | s / Mpx | same labels as torch float32 |")
    print("|---|---:|---:|---:|")
    for side, row in best.items():
        figures = f"{row['cpu_s']:.1f} | {row['wall_s']:.1f} | {equal[side]:.4%}"
        print(f"| {side} | {figures} |")
    if options.json:
        record = {"processor": processor, "sides": best, "equal": equal}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


def write_corner(path: Path, side: int) -> None:
    """Write a corner of the sample, on which the exported file has to agree."""
    with rasterio.open(SAMPLE) as sample:
        profile = sample.profile | {"width": side, "height": side}
        window = rasterio.windows.Window(0, 0, side, side)
        with rasterio.open(path, "w", **profile) as corner:
            corner.write(sample.read(window=window))
            corner.descriptions = sample.descriptions


def some_tiles(package: geoseg.ModelPackage, count: int) -> NDArray[np.float32]:
    """Normalise tiles of the sample, ``(tile, band, y, x)``, mirrored at its edge."""
    names = [band.name for band in package.bands]
    with rasterio.open(SAMPLE) as sample:
        pixels = sample.read([sample.descriptions.index(name) + 1 for name in names])
    side = package.tile
    across = -(-pixels.shape[2] // side)
    down = -(-count // across)
    margins = [
        (0, max(times * side - have, 0))
        for times, have in zip((down, across), pixels.shape[1:], strict=True)
    ]
    pixels = np.pad(pixels, [(0, 0), *margins], mode="symmetric")
    corners = [(k // across * side, k % across * side) for k in range(count)]
    tiles = [pixels[:, row : row + side, col : col + side] for row, col in corners]
    raw = torch.from_numpy(np.stack(tiles).astype("f4"))
    model = LoadedModel(package, tuple(range(len(names))))
    normal: NDArray[np.float32] = model.normalise(raw, None).numpy()
    return normal


def in_a_process(
    side: str, folder: Path, options: argparse.Namespace
) -> dict[str, float]:
    """Measure one side in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--side", side]
    command += ["--tiles", str(options.tiles), "--threads", str(options.threads)]
    done = subprocess.run(  # noqa: S603  # this very file
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(options.threads)},
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure(side: str, folder: Path, count: int, threads: int) -> None:
    """Map all tiles, print the seconds of a megapixel, keep the labels."""
    tiles = np.load(folder / "tiles.npy")
    infer = with_onnx if side.startswith("ONNX") else with_torch
    predict = infer(side, folder, threads)
    predict(tiles[:1])  # not timed: it loads and allocates
    started, worked = time.perf_counter(), time.process_time()
    labels = [predict(tiles[k : k + 1]).argmax(1) for k in range(count)]
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    np.save(labels_of(side, folder), np.concatenate(labels).astype(np.uint8))
    megapixels = count * tiles.shape[2] * tiles.shape[3] / 1e6
    print(json.dumps({"cpu_s": cpu / megapixels, "wall_s": wall / megapixels}))


def with_torch(
    side: str, folder: Path, threads: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Give probabilities as a run of geoseg computes them."""
    torch.set_num_threads(threads)
    model = LoadedModel(load_package(folder / "package"), tuple(range(9)))
    how = Compute("cpu", side.split()[1], 1, threads, 1, "asked for")

    @torch.inference_mode()
    def predict(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        given: NDArray[np.float32]
        given = model.predict(torch.from_numpy(tiles), "none", how).numpy()
        return given

    return predict


def with_onnx(
    _: str, folder: Path, threads: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Give probabilities as ONNX Runtime does by itself."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        folder / ONNX, options, providers=["CPUExecutionProvider"]
    )

    def predict(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        given: NDArray[np.float32] = session.run(None, {"tiles": tiles})[0]
        return given

    return predict


def labels_of(side: str, folder: Path) -> Path:
    """Say where the labels of a side are kept."""
    return folder / f"{SIDES.index(side)}.npy"


def same_labels(folder: Path) -> dict[str, float]:
    """Give the share of each side's labels that are those of torch in float32."""
    first, *others = (np.load(labels_of(side, folder)) for side in SIDES)
    shares = [1.0, *(float((first == each).mean()) for each in others)]
    return dict(zip(SIDES, shares, strict=True))


if __name__ == "__main__":
    main()
