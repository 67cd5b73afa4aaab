"""How much of a run's time is the model, and how much is everything else.

    python workflows/benchmarks/throughput.py

Maps a 4096 x 4096 scene, mirrored from the sample, with a ResNet-18 U-Net and with a
model that costs next to nothing (one 1 x 1 convolution), both with random weights.
Beside each run stand the bare forward passes of as many tiles at the same precision
in the same process: their ratio is what reading, stitching and writing cost. Nothing
here is a test; compare figures of one table only.
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

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch

from geoseg.classes import NODATA, LandClass, Legend
from geoseg.cluster import open_client
from geoseg.engine import parts, run
from geoseg.journal import open_journal
from geoseg.models.architectures import ARCHITECTURES, Architecture
from geoseg.models.card import Card, InputBand, Training
from geoseg.models.network import NETWORKS, load_network, save_package
from geoseg.mosaic import write_class_map, write_confidence
from geoseg.prepare import SegmentOptions, Setup, prepare
from geoseg.tasks import Job

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
    workers: str
    precision: str
    tiles: int
    inferred_s: float
    written_s: float
    total_s: float
    mpx_s: float
    bare_s: float
    over_bare: float
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
    place = {"crs": crs, "transform": transform, "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", compress="deflate", **shape, **tiled, **place
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


def map_scene(setup: Setup, run_directory: Path) -> tuple[float, float]:
    """Read, infer, stitch and write both rasters; seconds of the two stages."""
    started = time.perf_counter()
    with (
        open_journal(run_directory, setup.plan.identity) as journal,
        open_client() as client,
    ):
        job = Job(
            plan=setup.plan,
            source=setup.scene,
            predictor=setup.predictor,
            area=setup.aoi,
            blend="hann",
            class_ids=setup.package.legend.ids,
            nodata=NODATA,
            store=journal.store,
        )
        run(job, journal, client, lambda _: None)
        inferred = time.perf_counter()
        georef, scratch = setup.scene.georef, journal.store.directory
        write_class_map(
            setup.products["landcover"],
            georef,
            parts(setup.plan, journal, 0),
            legend=setup.package.legend,
            tags={},
            scratch=scratch,
        )
        write_confidence(
            setup.products["confidence"],
            georef,
            parts(setup.plan, journal, 1),
            tags={},
            scratch=scratch,
        )
        journal.discard()
    return inferred - started, time.perf_counter() - inferred


def bare_forward_passes(setup: Setup, tiles: int) -> float:
    """Seconds of the network alone on as many tiles, at the run's precision."""
    compute, bands = setup.predictor.compute, len(BANDS)
    dtype = getattr(torch, compute.precision)
    layout = torch.channels_last
    network = load_network(setup.package).to(dtype=dtype, memory_format=layout)
    batch = torch.randn(compute.batch, bands, TILE, TILE).to(dtype)
    batch = batch.to(memory_format=layout)
    with torch.inference_mode():
        network(batch)  # not timed: it allocates
        started = time.perf_counter()
        for _ in range(-(-tiles // compute.batch)):
            network(batch)
    return time.perf_counter() - started


def plain_accumulation(setup: Setup, tiles: int = 16) -> float:
    """Mpx/s of the usual script: float32, NCHW, weighted sums of a whole raster."""
    network, classes = load_network(setup.package), len(setup.package.legend)
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


def measure(case: str, folder: Path, repeats: int, *, plain: bool) -> Row:
    """Measure one case in this process."""
    setup = prepare(
        folder / "scene.tif",
        folder / case / "out",
        None,
        SegmentOptions(model=folder / case / "model"),
    )
    setup.output.mkdir()
    pixels = setup.scene.georef.height * setup.scene.georef.width
    times = [map_scene(setup, folder / case / "run") for _ in range(repeats)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    bare = min(bare_forward_passes(setup, setup.plan.tiles) for _ in range(repeats))
    inferred, written = min(times, key=sum)
    return Row(
        case=case,
        workers="in process",
        precision=setup.predictor.compute.precision,
        tiles=setup.plan.tiles,
        inferred_s=inferred,
        written_s=written,
        total_s=inferred + written,
        mpx_s=pixels / 1e6 / (inferred + written),
        bare_s=bare,
        over_bare=(inferred + written) / bare,
        plain_mpx_s=plain_accumulation(setup) if plain else None,
        peak_mb=peak,
    )


def print_table(rows: list[Row]) -> None:
    """Print the rows below each other, a column a field."""
    print("  ".join(f"{name:>11}" for name in asdict(rows[0])))
    for row in rows:
        values = asdict(row).values()
        texts = (f"{v:.2f}" if isinstance(v, float) else str(v) for v in values)
        print("  ".join(f"{text:>11}" for text in texts))


def main() -> None:
    """Measure every case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="near-free,resnet18")
    parser.add_argument("--side", type=int, default=4096, help="of the scene, pixels")
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--plain", action="store_true", help="time the usual script")
    parser.add_argument("--json", type=Path, default=Path("throughput.json"))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        row = measure(
            options.cases, options.folder, options.repeats, plain=options.plain
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
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # this very file
            rows.append(Row(**json.loads(done.stdout)))
        print_table(rows)
        record = {"cores": os.cpu_count(), "side": options.side}
        record |= {"torch": torch.__version__, "rows": [asdict(r) for r in rows]}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
