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
from geoseg.train.checkpoint import Record
from geoseg.train.dataset import Lesson, prepare_lesson
from geoseg.train.initial import begin
from geoseg.train.train import settle
from geoseg.train.trainer import Course, carry_on
from geoseg.train.validation import Watch

if TYPE_CHECKING:
    import torch


class Timed(Course):
    """A course with stopwatches."""

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
    lesson = prepare_lesson([SCENE], LABELS, options)
    course, total = trained(lesson)
    plan = course.settings
    chips = plan.steps * plan.batch
    drawing = drawn(lesson, course)
    unit = "s of CPU" if plan.device == "cpu" else "s"
    rows = [
        ["all", f"{total:.1f}", "100 %", f"{chips / total:.1f}"],
        of("forward, backward, optimiser", course.learning, total, chips),
        of("samples to the device, jitter", course.preparing, total, chips),
        of("all else", total - course.learning - course.preparing, total, None),
        of("drawing samples, alone", drawing, total, chips),
    ]
    text = (
        f"{plan.steps} steps of {plan.batch} samples of {lesson.options.chip} px, "
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


def trained(lesson: Lesson) -> tuple[Timed, float]:
    """Train, and give the seconds that it took."""
    options = lesson.options
    network, _, _ = begin(lesson.bands, lesson.legend, options)
    course, stride = Timed(network, settle(lesson)), tile_stride(network)
    if course.settings.device != "cpu":
        course.clock = time.perf_counter
    course.network.train()
    course.learn(lesson.supply.draw(options.batch, np.random.default_rng(1)))
    course.step, course.learning, course.preparing = 0, 0.0, 0.0  # warm now
    with (
        tempfile.TemporaryDirectory() as folder,
        Record.open(Path(folder) / "model", {}, options) as record,
    ):
        watch = Watch(lesson, stride, record, ignore_step, [])
        started = course.clock()
        carry_on(course, lesson.supply, watch.progress, watch.look)
        return course, course.clock() - started


def drawn(lesson: Lesson, course: Timed) -> float:
    """Draw as many samples, and give the seconds that it took."""
    started = course.clock()
    for step in range(course.settings.steps):
        lesson.supply.draw(course.settings.batch, np.random.default_rng([0, step]))
    return course.clock() - started


if __name__ == "__main__":
    main()
