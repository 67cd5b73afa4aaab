"""What a step of `geoseg train` takes beside the network alone.

    python workflows/benchmarks/training_speed.py --write docs/training.md

Trains on the sample as `geoseg train` does without flags, but for a few steps, and
times what lies between the steps that it reports: drawing samples, bringing them to the
device, varying them, forward, backward and the optimiser. Then the network of that
package learns from one batch in memory as a plain loop of torch has it, with the same
loss, precision and optimiser. What the steps take more is not the network. Looks at
held-out blocks, after each epoch, are no part of either. Some minutes on two cores.

On a CPU the stopwatch counts seconds of CPU, which other work on the machine does not
make longer; a GPU's are the clock's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from held_out import LABELS, SCENE, table, write_between
from segmentation_models_pytorch.losses import DiceLoss

import geoseg

BATCH, CHIP, WARM = 8, 128, 5
"""Samples a batch and pixels of their sides; steps that are not timed."""


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    arguments = parser.parse_args()
    on, steps = arguments.device, arguments.steps
    options = geoseg.TrainOptions(
        architecture="Unet",
        steps=steps,
        epochs=1,
        batch=BATCH,
        chip=CHIP,
        device=on,
        precision=arguments.precision,
    )
    with tempfile.TemporaryDirectory() as folder:
        network, whole = trained(Path(folder, "model"), options)
    alone = learned(network, options)
    unit = "ms of CPU" if on == "cpu" else "ms"
    rows = [
        ["a step of `geoseg train`", f"{1000 * whole:.0f}", f"{BATCH / whole:.1f}"],
        ["the network alone", f"{1000 * alone:.0f}", f"{BATCH / alone:.1f}"],
        ["its share", f"{alone / whole:.1%}", ""],
    ]
    text = (
        f"{steps} steps of {BATCH} samples of {CHIP} px, in {arguments.precision} on "
        f"{on}: {arguments.hardware}.\n\n"
        + table(["", unit, f"samples a {unit.replace('ms', 's')}"], rows)
    )
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


def clock(device: str) -> float:
    """Read the stopwatch of a device."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def trained(
    folder: Path, options: geoseg.TrainOptions
) -> tuple[torch.nn.Module, float]:
    """Train; give the network, and the seconds of a step."""
    reported: dict[int, float] = {}

    def watch(step: geoseg.Step) -> None:
        if step.name == "train":
            reported.setdefault(step.done, clock(options.device))

    done = geoseg.train([SCENE], LABELS, folder, options=options, on_step=watch)
    first, last = sorted(reported)[WARM], max(reported)
    seconds = (reported[last] - reported[first]) / (last - first)
    return geoseg.load_network(done.package), seconds


def learned(network: torch.nn.Module, options: geoseg.TrainOptions) -> float:
    """Learn from one batch, again and again; give the seconds of a step."""
    device = options.device
    network = network.to(device, memory_format=torch.channels_last).train()
    bands = network.config["in_channels"]
    images = torch.randn(BATCH, bands, CHIP, CHIP, device=device)
    images = images.to(memory_format=torch.channels_last)
    classes = network.config["classes"]
    labels = torch.randint(classes, (BATCH, CHIP, CHIP), device=device)
    optimizer = torch.optim.AdamW(network.parameters(), options.learning_rate)
    dice = DiceLoss("multiclass")
    started = 0.0
    for step in range(options.steps + WARM):
        if step == WARM:
            started = clock(device)
        with torch.autocast(device, getattr(torch, options.precision)):
            scores = network(images)
        scores = scores.float()
        loss = torch.nn.functional.cross_entropy(scores, labels) + dice(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return (clock(device) - started) / options.steps


if __name__ == "__main__":
    main()
