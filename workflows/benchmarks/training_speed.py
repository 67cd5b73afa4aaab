"""Where the time of a training goes: the network, the samples, the rest.

    python workflows/benchmarks/training_speed.py --write docs/training.md

Trains on the sample as `geoseg train` does without flags, but for a few steps, with a
stopwatch around forward, backward and the optimiser's step; and draws samples with
nothing else to do. Looks at the held-out blocks and the state on disk, after each
epoch, count as the rest. Some minutes on two cores.
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
from geoseg.models.network import tile_stride
from geoseg.steps import ignore_step
from geoseg.train.fit import settle
from geoseg.train.lesson import Lesson, prepare_lesson
from geoseg.train.loop import Course, carry_on
from geoseg.train.record import Record
from geoseg.train.start import begin
from geoseg.train.watch import Watch

if TYPE_CHECKING:
    import torch


class Timed(Course):
    """A course with stopwatches."""

    learning = preparing = 0.0

    def prepare(self, drawn: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        """Time what brings samples to the device and varies them."""
        started = time.perf_counter()
        images, labels = super().prepare(drawn)
        self.preparing += time.perf_counter() - started
        return images, labels

    def descend(self, images: torch.Tensor, labels: torch.Tensor) -> bool:
        """Time forward, backward and the optimiser's step, which end in a number."""
        started = time.perf_counter()
        finite = super().descend(images, labels)
        self.learning += time.perf_counter() - started
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
    course, wall, cpu = trained(lesson)
    plan = course.settings
    chips = plan.steps * plan.batch
    drawing = drawn(lesson, plan.steps, plan.batch)
    rows = [
        ["all", f"{wall:.1f}", "100 %", f"{chips / wall:.1f}"],
        of("forward, backward, optimiser", course.learning, wall, chips),
        of("samples to the device, jitter", course.preparing, wall, chips),
        of("all else", wall - course.learning - course.preparing, wall, None),
        of("drawing samples, alone", drawing, wall, chips),
    ]
    text = (
        f"{plan.steps} steps of {plan.batch} samples of {lesson.options.chip} px, "
        f"{plan.epoch} an epoch, in {plan.precision} on {plan.device}; {cpu:.0f} s of "
        f"CPU, on {arguments.hardware}.\n\n"
        + table(["", "s", "share of all", "samples a second"], rows)
    )
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


def of(name: str, seconds: float, wall: float, chips: int | None) -> list[str]:
    """Fill a row."""
    speed = "" if chips is None else f"{chips / seconds:.1f}"
    return [name, f"{seconds:.2f}", f"{100 * seconds / wall:.1f} %", speed]


def trained(lesson: Lesson) -> tuple[Timed, float, float]:
    """Train, and give the seconds that it took, by the clock and of CPU."""
    options = lesson.options
    network, _, _ = begin(lesson.bands, lesson.legend, options)
    course, stride = Timed(network, settle(lesson)), tile_stride(network)
    course.network.train()
    course.learn(lesson.supply.draw(options.batch, np.random.default_rng(1)))
    course.step, course.learning, course.preparing = 0, 0.0, 0.0  # warm now
    with (
        tempfile.TemporaryDirectory() as folder,
        Record.open(Path(folder) / "model", {}, options) as record,
    ):
        watch = Watch(lesson, stride, record, ignore_step, [])
        clock, cpu = time.perf_counter(), time.process_time()
        carry_on(course, lesson.supply, watch.progress, watch.look)
        return course, time.perf_counter() - clock, time.process_time() - cpu


def drawn(lesson: Lesson, steps: int, batch: int) -> float:
    """Draw as many samples, and give the seconds that it took."""
    started = time.perf_counter()
    for step in range(steps):
        lesson.supply.draw(batch, np.random.default_rng([0, step]))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
