"""How much of a run's time is the model, and how much is everything else.

    python workflows/benchmarks/throughput.py

Maps a 4096 x 4096 scene, mirrored from the sample, with a ResNet-18 U-Net of random
weights and with a model that costs next to nothing (two 1 x 1 convolutions), by
`geoseg.segment`: in this process and in worker processes, without polygons and page.
Beside each run stand the bare forward passes of as many tiles at the same precision in
the same process, once as a plain script does them (one after another) and once as many
side by side as the run has. CPU seconds are those of inference and of both rasters. The
best of several runs counts, so that imports and compiling are in none but the first.
Nothing here is a test; compare figures of one table only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import rasterio
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file

import geoseg

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"
BANDS = ("blue", "green", "red", "nir")
SAMPLE_BANDS = [1, 2, 3, 7]
TILE, OVERLAP = 512, 64
STD = 0.2
"""What reflectances are divided by; nothing is taken off, so that all are positive."""
CLASSES = {"near-free": 8, "resnet18": 7}


@dataclass
class Row:
    """A line of the table."""

    case: str
    workers: int
    precision: str
    tiles: int
    inferred_s: float
    written_s: float
    total_s: float
    mpx_s: float
    cpu_s: float
    bare_s: float
    over_bare: float
    bare_in_streams_s: float
    over_streams: float
    plain_mpx_s: float | None
    peak_mb: float


def make_scene(path: Path, side: int) -> None:
    """Mirror four bands of the sample to a uint8 deflate GeoTIFF."""
    with rasterio.open(SAMPLE) as sample:
        pixels = sample.read(SAMPLE_BANDS)
        crs, transform = sample.crs, sample.transform
    pixels = np.clip(pixels // 16, 1, 255).astype(np.uint8)
    margins = ((0, 0), *((0, max(side - n, 0)) for n in pixels.shape[1:]))
    pixels = np.pad(pixels, margins, mode="symmetric")[:, :side, :side]
    shape = {"count": 4, "height": side, "width": side, "dtype": "uint8"}
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    tiled["photometric"] = "minisblack"  # the fourth band is no alpha
    georeference = {"crs": crs, "transform": transform, "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", compress="deflate", **shape, **tiled, **georeference
    ) as scene:
        scene.write(pixels)
        for index, name in enumerate(BANDS, start=1):
            scene.set_band_description(index, name)


def make_package(
    path: Path, case: str, *, tile: int = TILE, overlap: int = OVERLAP
) -> None:
    """Make a model package with random weights."""
    torch.manual_seed(0)
    count, channels = CLASSES[case], len(BANDS)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        if case == "near-free":
            tensors, about = near_free(channels, count)
            config.write_text(json.dumps(about), encoding="utf-8")
        else:
            how = {"in_channels": channels, "classes": count}
            network = smp.Unet("resnet18", encoder_weights=None, **how)
            network.save_pretrained(folder)  # a config.json
            tensors = network.state_dict()
        weights = Path(folder, "weights.safetensors")
        save_file(tensors, weights)
        new = geoseg.NewPackage(
            name=case,
            description="Random weights, for a benchmark.",
            config=config,
            bands=BANDS,
            classes=tuple(f"class {number}" for number in range(count)),
            mean=(0,),
            std=(STD,),
            scale=1 / 255,
            dtype="uint8",
            tile=tile,
            overlap=overlap,
            gsd_m=10,
            activation="softmax",
        )
        geoseg.make_package(weights, path, new)


def near_free(
    channels: int, count: int
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Make a network of single pixels: what is left of a run is everything else.

    Each pixel gets the nearest of the most different pixels of the sample, so that the
    map has about as many borders as one of the model that ships.
    """
    with rasterio.open(SAMPLE) as sample:
        pixels = sample.read(SAMPLE_BANDS).reshape(channels, -1)[:, ::50].T // 16
    far = [pixels.mean(axis=0)]
    for _ in range(1, count):
        away = [((pixels - each) ** 2).sum(axis=1) for each in far]
        far.append(pixels[np.min(away, axis=0).argmax()])
    shown = torch.from_numpy(np.stack(far) / 255 / STD).float()
    square = {"weight": torch.eye(channels), "bias": torch.zeros(channels)}
    nearest = {"weight": 2 * shown, "bias": -(shown**2).sum(dim=1)}
    layers = {"first.0": square, "classifier": nearest}
    tensors = {
        f"segmentation_head.{layer}.{name}": (
            tensor[:, :, None, None] if name == "weight" else tensor
        ).contiguous()
        for layer, of_layer in layers.items()
        for name, tensor in of_layer.items()
    }
    config = {
        "_model_class": "Pixelwise",
        "encoder_name": "pixel",
        "head": "mlp",
        "hidden": channels,
        "in_channels": channels,
        "classes": count,
    }
    return tensors, config


class Clock:
    """Looks at the CPU when inference begins, and when both rasters are written."""

    def __init__(self) -> None:
        """Wait for the first step."""
        self._at: dict[str, float] = {}

    def __call__(self, step: geoseg.Step) -> None:
        """Take a step of a run."""
        self._at.setdefault(step.name, cpu_seconds())

    @property
    def cpu_s(self) -> float:
        """CPU seconds between the two."""
        return self._at["preview"] - self._at["infer"]


def map_scene(
    case: str, folder: Path, workers: int
) -> tuple[geoseg.Report, float, float]:
    """Read, infer, stitch and write both rasters; seconds of that, and of CPUs."""
    clock = Clock()
    how = geoseg.SegmentOptions(
        model=folder / case / "model",
        workers=workers,
        formats="none",
        report_size=0,
        restart=True,
    )
    report = geoseg.segment(
        folder / "scene.tif",
        folder / case / f"out-{workers}",
        options=how,
        on_step=clock,
    )
    took = report.timings_s
    return report, took["infer"] + took["raster"], clock.cpu_s


def bare_passes(
    package: Path, tiles: int, compute: Mapping[str, Any], streams: int, threads: int
) -> float:
    """Seconds of the network alone on as many tiles, so many side by side."""
    dtype, layout = getattr(torch, compute["precision"]), torch.channels_last
    network = geoseg.load_network(geoseg.load_package(package))
    network = network.to(dtype=dtype, memory_format=layout)
    batch = torch.randn(compute["batch"], len(BANDS), TILE, TILE)
    batch = batch.to(dtype).to(memory_format=layout)

    @torch.inference_mode()
    def forward(_: int) -> None:
        network(batch)

    with ThreadPoolExecutor(
        streams, initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        list(pool.map(forward, range(streams)))  # not timed: it allocates
        started = time.perf_counter()
        list(pool.map(forward, range(-(-tiles // compute["batch"]))))
        return time.perf_counter() - started


def plain_accumulation(package: Path, count: int, tiles: int = 16) -> float:
    """Mpx/s of the usual script: float32, NCHW, weighted sums of a whole raster."""
    network = geoseg.load_network(geoseg.load_package(package))
    step, side = TILE - OVERLAP, int(tiles**0.5)
    extent = side * step + OVERLAP
    image = torch.randn(1, len(BANDS), extent, extent)
    weight = torch.hann_window(TILE + 2, periodic=False)[1:-1]
    weight = weight[:, None] * weight
    with torch.inference_mode():
        started = time.perf_counter()
        scores, total = torch.zeros(count, extent, extent), torch.zeros(extent, extent)
        for row in range(0, side * step, step):
            for col in range(0, side * step, step):
                cut = (slice(row, row + TILE), slice(col, col + TILE))
                probabilities = network(image[:, :, *cut]).softmax(1)[0]
                scores[:, *cut] += probabilities * weight
                total[cut] += weight
        (scores / total).argmax(0).to(torch.uint8).numpy()
    return extent**2 / 1e6 / (time.perf_counter() - started)


def measure(case: str, folder: Path, repeats: int, *, plain: bool, workers: int) -> Row:
    """Measure one case in this process and its workers."""
    runs = [map_scene(case, folder, workers) for _ in range(repeats)]
    of = _ALL if workers else _ALL[:1]
    peak = sum(resource.getrusage(who).ru_maxrss / 1e3 for who in of)
    report, total, _ = min(runs, key=lambda run: run[1])
    tiles, compute, took = report.tiles["inferred"], report.compute, report.timings_s
    package, cores = folder / case / "model", torch.get_num_threads()
    streams, threads = int(compute["streams"]), int(compute["threads"])
    alone = min(bare_passes(package, tiles, compute, 1, cores) for _ in runs)
    beside = min(bare_passes(package, tiles, compute, streams, threads) for _ in runs)
    pixels = int(report.scene["width"]) * int(report.scene["height"])
    return Row(
        case=case,
        workers=workers,
        precision=str(compute["precision"]),
        tiles=tiles,
        inferred_s=took["infer"],
        written_s=took["raster"],
        total_s=total,
        mpx_s=pixels / 1e6 / total,
        cpu_s=min(cpu for _, _, cpu in runs),
        bare_s=alone,
        over_bare=total / alone,
        bare_in_streams_s=beside,
        over_streams=total / beside,
        plain_mpx_s=plain_accumulation(package, CLASSES[case]) if plain else None,
        peak_mb=peak,
    )


_ALL = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
"""This process, and its children that have ended (of memory: the largest)."""


def cpu_seconds() -> float:
    """Seconds that the cores have worked for this process and its workers."""
    seconds = sum(sum(resource.getrusage(of)[:2]) for of in _ALL)
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            # Its own, and of those that it forked and that have ended.
            seconds += sum(each.cpu_times()[:4])
    return seconds


def print_table(rows: list[Row]) -> None:
    """Print the rows below each other, a column a field."""
    names = list(asdict(rows[0]))
    print("  ".join(f"{name:>11}" for name in names))
    for row in rows:
        values = asdict(row).values()
        texts = (f"{v:.2f}" if isinstance(v, float) else str(v) for v in values)
        columns = zip(names, texts, strict=True)
        print("  ".join(f"{text:>{max(len(n), 11)}}" for n, text in columns))


def main() -> None:
    """Measure every case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="near-free,resnet18")
    parser.add_argument("--workers", default="0,1,2,4", help="0: in this process")
    parser.add_argument("--side", type=int, default=4096, help="of the scene, pixels")
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--plain", action="store_true", help="time the usual script")
    parser.add_argument("--json", type=Path, default=Path("throughput.json"))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        row = measure(
            options.cases,
            options.folder,
            options.repeats,
            plain=options.plain,
            workers=int(options.workers),
        )
        print(json.dumps(asdict(row)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_scene(Path(folder, "scene.tif"), options.side)
        rows = []
        for case in options.cases.split(","):
            make_package(Path(folder, case, "model"), case)
            command = [sys.executable, __file__, "--cases", case, "--folder", folder]
            command += ["--repeats", str(options.repeats)]
            command += ["--plain"] * options.plain
            for workers in options.workers.split(","):
                done = subprocess.run(  # noqa: S603  # this very file
                    [*command, "--workers", workers],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                rows.append(Row(**json.loads(done.stdout)))
        print_table(rows)
        record = {"cores": os.cpu_count(), "side": options.side}
        record |= {"torch": torch.__version__, "rows": [asdict(r) for r in rows]}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
