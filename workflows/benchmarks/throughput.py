"""How much of a run's time is the model, and how much is everything else.

    python workflows/benchmarks/throughput.py

Maps a 4096 x 4096 scene, mirrored from the sample, with a ResNet-18 U-Net and with a
model that costs next to nothing (one 1 x 1 convolution), both with random weights,
in this process and in worker processes. Beside each run stand the bare forward passes
of as many tiles at the same precision in the same process, once as a plain script does
them (one after another, as smp makes the network) and once as geoseg does (folded, in
streams). Nothing here is a test; compare figures of one table only.
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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch

from geoseg import LandClass, Legend, SegmentOptions, load_network
from geoseg.models.networks.architectures import ARCHITECTURES, Architecture
from geoseg.models.networks.batch_norm import fold_batch_norm
from geoseg.models.networks.network import NETWORKS, save_package
from geoseg.models.package.card import Card, InputBand, Training
from geoseg.predict.streams import in_streams
from geoseg.raster import ClassLayer, MeasureLayer, write_layers
from geoseg.run.cluster import open_client
from geoseg.run.engine import run
from geoseg.run.journal.journal import open_journal
from geoseg.run.parts import read_parts
from geoseg.run.resolve import prepare
from geoseg.run.tasks import SegmentJob
from geoseg.storage.output import Output

if TYPE_CHECKING:
    from geoseg.run.configuration import RunConfig

SAMPLE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"
BANDS = ("blue", "green", "red", "nir")
SAMPLE_BANDS = [1, 2, 3, 7]
TILE, OVERLAP = 512, 64


class OneConvolution(torch.nn.Module):
    """A network that costs next to nothing: what is left is everything else."""

    def __init__(self, in_channels: int, classes: int, **_: object) -> None:
        """Begin at random, as smp's networks do."""
        super().__init__()
        self.config = {"in_channels": in_channels, "classes": classes}
        convolution = torch.nn.Conv2d(in_channels, classes, 1)
        self.segmentation_head = torch.nn.Sequential(convolution)

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """Give logits of ``(tile, band, y, x)``."""
        logits: torch.Tensor = self.segmentation_head(tiles)
        return logits


ARCHITECTURES["OneConvolution"] = Architecture("OneConvolution", paper="none")
NETWORKS["OneConvolution"] = OneConvolution


def make_network(case: str) -> tuple[torch.nn.Module, int]:
    """Make the network of a case and say how many classes it has."""
    torch.manual_seed(0)
    if case == "near-free":
        return OneConvolution(len(BANDS), 8), 8
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=4, classes=7)
    return network, 7


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
    over_lanes: float
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
    georeference = {"crs": crs, "transform": transform, "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", compress="deflate", **shape, **tiled, **georeference
    ) as scene:
        scene.write(pixels)
        for index, name in enumerate(BANDS, start=1):
            scene.set_band_description(index, name)


def make_package(path: Path, case: str) -> None:
    """Write a model package with random weights."""
    network, classes = make_network(case)
    legend = tuple(LandClass(k, f"class {k}", f"#{k:02x}80ff") for k in range(classes))
    card = Card(
        name=case,
        version="0",
        description="Random weights, for a benchmark.",
        architecture=type(network).__name__,
        parameters=sum(p.numel() for p in network.parameters()),
        pretrained_source="none",
        bands=tuple(InputBand(name, name, 0.3, 0.2) for name in BANDS),
        scale=1 / 255,
        dtype="uint8",
        legend=Legend(legend),
        tile=TILE,
        overlap=OVERLAP,
        stride=32,
        gsd_m=10,
    )
    training = Training((12.0, 52.0, 13.0, 53.0), datetime(2017, 2, 16, tzinfo=UTC))
    save_package(path, network, card, training)


def map_scene(
    config: RunConfig, run_directory: Path, workers: int, scheduler: str | None = None
) -> tuple[float, float]:
    """Read, infer, stitch and write both rasters; seconds of the two stages."""
    with (
        open_journal(run_directory, config.plan.identity) as journal,
        open_client(workers, scheduler) as client,
    ):
        started = time.perf_counter()
        job = SegmentJob(
            plan=config.plan,
            source=config.scene,
            predictor=config.predictor,
            area=config.aoi,
            blend="hann",
            layers=config.layers,
            store=journal.store,
        )
        run(job, journal, client, lambda _: None)
        inferred = time.perf_counter()
        geobox, scratch = config.scene.geobox, journal.store.directory
        products, bands = config.products, config.layers.bands
        write_layers(
            [
                ClassLayer(products["landcover"], config.package.legend),
                MeasureLayer(products["confidence"], ["confidence"], "percent"),
            ],
            geobox,
            (
                (window, [values[bands["landcover"]], values[bands["confidence"]]])
                for window, values in read_parts(config.plan, journal)
            ),
            tags={},
            scratch=scratch,
        )
        journal.discard()
    return inferred - started, time.perf_counter() - inferred


def bare_forward_passes(config: RunConfig) -> float:
    """Seconds of the network alone on as many tiles, one batch after another."""
    compute = config.predictor.compute
    dtype = getattr(torch, compute.precision)
    layout = torch.channels_last
    network = load_network(config.package).to(dtype=dtype, memory_format=layout)
    batch = some_batch(config)
    with torch.inference_mode():
        network(batch)  # not timed: it allocates
        started = time.perf_counter()
        for _ in range(-(-config.plan.tiles // compute.batch)):
            network(batch)
    return time.perf_counter() - started


def bare_lanes(config: RunConfig) -> float:
    """Seconds of the network alone, folded, in as many streams as the run has."""
    compute = config.predictor.compute
    network = load_network(config.package)
    fold_batch_norm(network)
    dtype = getattr(torch, compute.precision)
    network = network.to(dtype=dtype, memory_format=torch.channels_last)
    batch = some_batch(config)

    @torch.inference_mode()
    def forward(_: int) -> None:
        network(batch)

    def all_tiles(batches: int) -> None:
        streams, threads = compute.streams, compute.threads
        device = config.predictor.device
        in_streams(
            forward, range(batches), device=device, streams=streams, threads=threads
        )

    all_tiles(compute.streams)  # not timed: it allocates
    started = time.perf_counter()
    all_tiles(-(-config.plan.tiles // compute.batch))
    return time.perf_counter() - started


def some_batch(config: RunConfig) -> torch.Tensor:
    """Normalised pixels of one batch, at the run's precision."""
    compute = config.predictor.compute
    batch = torch.randn(compute.batch, len(BANDS), TILE, TILE)
    dtype = getattr(torch, compute.precision)
    return batch.to(dtype).to(memory_format=torch.channels_last)


def plain_accumulation(config: RunConfig, tiles: int = 16) -> float:
    """Mpx/s of the usual script: float32, NCHW, weighted sums of a whole raster."""
    network, classes = load_network(config.package), len(config.package.legend)
    step, side = TILE - OVERLAP, int(tiles**0.5)
    extent = side * step + OVERLAP
    image = torch.randn(1, len(BANDS), extent, extent)
    weight = torch.hann_window(TILE + 2, periodic=False)[1:-1]
    weight = weight[:, None] * weight
    with torch.inference_mode():
        started = time.perf_counter()
        scores, total = torch.zeros(classes, extent, extent), torch.zeros(extent)
        total = torch.zeros(extent, extent)
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
    config = prepare(
        folder / "scene.tif",
        Output(folder / case / f"out-{workers}"),
        None,
        SegmentOptions(model=folder / case / "model", workers=workers),
    )
    config.output.folder.mkdir(exist_ok=True)
    pixels = config.scene.geobox.height * config.scene.geobox.width
    before = cpu_seconds()
    times = [map_scene(config, folder / case / "run", workers) for _ in range(repeats)]
    cpu = (cpu_seconds() - before) / repeats
    of = _ALL if workers else _ALL[:1]
    peak = sum(resource.getrusage(who).ru_maxrss / 1e3 for who in of)
    bare = min(bare_forward_passes(config) for _ in range(repeats))
    streams = min(bare_lanes(config) for _ in range(repeats))
    inferred, written = min(times, key=sum)
    total = inferred + written
    return Row(
        case=case,
        workers=workers,
        precision=config.predictor.compute.precision,
        tiles=config.plan.tiles,
        inferred_s=inferred,
        written_s=written,
        total_s=total,
        mpx_s=pixels / 1e6 / total,
        cpu_s=cpu,
        bare_s=bare,
        over_bare=total / bare,
        bare_in_streams_s=streams,
        over_lanes=total / streams,
        plain_mpx_s=plain_accumulation(config) if plain else None,
        peak_mb=peak,
    )


_ALL = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
"""This process, and its children that have ended (of memory: the largest)."""


def cpu_seconds() -> float:
    """Seconds that the cores have worked for this process and its workers."""
    return sum(sum(resource.getrusage(of)[:2]) for of in _ALL)


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
