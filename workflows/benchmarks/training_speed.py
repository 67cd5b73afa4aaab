"""Where the time of a training goes: the network, the samples, the rest.

    python workflows/benchmarks/training_speed.py --write docs/training.md

Trains on the sample as `geoseg train` does without flags, but for a few steps, with a
stopwatch around forward, backward and the optimiser's step; and draws samples with
nothing else to do. Looks at the held-out blocks and the state on disk, after each
epoch, count as the rest. Some minutes on two cores.

On a CPU the stopwatch counts seconds of CPU, which other work on the machine does not
make longer; a GPU's are the clock's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from held_out import LABELS, SCENE, table, write_between

import geoseg
from geoseg.models.networks.network import tile_stride
from geoseg.progress import ignore_step
from geoseg.train.checkpoint import Checkpoint
from geoseg.train.dataset import TrainingData, prepare_dataset
from geoseg.train.initial import begin
from geoseg.train.train import resolve_settings
from geoseg.train.trainer import Trainer, carry_on
from geoseg.train.validation import Validator

if TYPE_CHECKING:
    import torch


class Timed(Trainer):
    """A trainer with stopwatches."""

    learning = preparing = 0.0
    clock = staticmethod(time.process_time)

    def prepare(self, drawn: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        """Time what brings samples to the device and varies them."""
        started = self.clock()
        images, labels = super().prepare(drawn)
        self.preparing += self.clock() - started
        return images, labels

    def descend(self, images: torch.Tensor, labels: torch.Tensor) -> bool:
        """Time forward, backward and the optimiser's step, which end in a number."""
        started = self.clock()
        finite = super().descend(images, labels)
        self.learning += self.clock() - started
        return finite


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=25, help="an epoch's")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    arguments = parser.parse_args()
    options = geoseg.TrainOptions(
        steps=arguments.steps, epochs=arguments.epochs, device=arguments.device
    )
    dataset = prepare_dataset([SCENE], LABELS, options)
    trainer, total = trained(dataset)
    plan = trainer.settings
    chips = plan.steps * plan.batch
    drawing = drawn(dataset, trainer)
    unit = "s of CPU" if plan.device == "cpu" else "s"
    rows = [
        ["all", f"{total:.1f}", "100 %", f"{chips / total:.1f}"],
        of("forward, backward, optimiser", trainer.learning, total, chips),
        of("samples to the device, jitter", trainer.preparing, total, chips),
        of("all else", total - trainer.learning - trainer.preparing, total, None),
        of("drawing samples, alone", drawing, total, chips),
    ]
    text = (
        f"{plan.steps} steps of {plan.batch} samples of {dataset.options.chip} px, "
        f"{plan.epoch} an epoch, in {plan.precision} on {plan.device}: "
        f"{arguments.hardware}.\n\n"
        + table(["", unit, "share of all", f"samples a {unit}"], rows)
    )
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


def of(name: str, seconds: float, total: float, chips: int | None) -> list[str]:
    """Fill a row."""
    speed = "" if chips is None else f"{chips / seconds:.1f}"
    return [name, f"{seconds:.2f}", f"{100 * seconds / total:.1f} %", speed]


def trained(dataset: TrainingData) -> tuple[Timed, float]:
    """Train, and give the seconds that it took."""
    options = dataset.options
    network, _, _ = begin(dataset.bands, dataset.legend, options)
    trainer, stride = Timed(network, resolve_settings(dataset)), tile_stride(network)
    if trainer.settings.device != "cpu":
        trainer.clock = time.perf_counter
    trainer.network.train()
    trainer.learn(dataset.sampler.draw(options.batch, np.random.default_rng(1)))
    trainer.step, trainer.learning, trainer.preparing = 0, 0.0, 0.0  # warm now
    with (
        tempfile.TemporaryDirectory() as folder,
        Checkpoint.open(Path(folder) / "model", {}, options) as record,
    ):
        validation = Validator(dataset, stride, record, ignore_step, [])
        started = trainer.clock()
        carry_on(trainer, dataset.sampler, validation.progress, validation.look)
        return trainer, trainer.clock() - started


def drawn(dataset: TrainingData, trainer: Timed) -> float:
    """Draw as many samples, and give the seconds that it took."""
    started = trainer.clock()
    for step in range(trainer.settings.steps):
        dataset.sampler.draw(trainer.settings.batch, np.random.default_rng([0, step]))
    return trainer.clock() - started


if __name__ == "__main__":
    main()
