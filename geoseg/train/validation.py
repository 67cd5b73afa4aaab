"""A look at a training after each epoch: measured, kept, told."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from geoseg.progress import OnStep, Step
from geoseg.train.checkpoint import Epoch, Record
from geoseg.train.held_out import measure, predict_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from geoseg.train.dataset import Lesson
    from geoseg.train.trainer import Course

_TIMED = 5
"""Steps after the first, which prepares much, that tell how long a training takes."""


class Watch:
    """Looks at a training after each epoch, and tells of it."""

    def __init__(
        self,
        lesson: Lesson,
        stride: int,
        record: Record,
        on_step: OnStep,
        epochs: list[Epoch],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Begin.

        Args:
            lesson: What is learned from; epochs are measured on its watched blocks.
            stride: What sides of tiles are multiples of.
            record: Where each epoch is kept.
            on_step: Who is told.
            epochs: Those that an interrupted training had.
            clock: Tells seconds.

        """
        self.lesson, self.stride, self.record = lesson, stride, record
        self.on_step, self.epochs = on_step, epochs
        self.clock, self.seconds = clock, list[float]()
        self.images, self.truth = lesson.images(), lesson.truth(lesson.watched)

    def progress(self, course: Course) -> None:
        """Tell how far the training is."""
        total, note = course.settings.steps, ""
        if len(self.seconds) <= _TIMED:
            self.seconds.append(self.clock())
            if len(self.seconds) > _TIMED:
                step = (self.seconds[-1] - self.seconds[0]) / _TIMED
                note = duration_told(step, total - course.step)
        self.on_step(Step("train", course.step, total, note=note))

    def look(self, course: Course) -> bool:
        """Measure, keep, tell; True where nothing was gained for too long."""
        plan, lesson = course.settings, self.lesson
        found = [
            predict_blocks(course.averaged, image, split, self.stride, plan.device)
            for image, split in zip(self.images, lesson.watched, strict=True)
        ]
        accuracy = measure(self.truth, found, lesson.legend)
        number = -(-course.step // plan.epoch)
        epoch = Epoch(
            number,
            course.step,
            float(np.mean(course.losses[-plan.epoch :])),
            plan.learning_rate_at(course.step - 1),
            accuracy.overall,
            accuracy.mean_f1,
            accuracy.mean_iou,
        )
        self.epochs.append(epoch)
        self.record.keep(course, self.epochs)
        self.on_step(Step("train", course.step, plan.steps, note=epoch.told()))
        best = max(self.epochs, key=lambda each: each.mean_f1)
        patience = lesson.options.patience
        return bool(patience) and number - best.number >= patience


def duration_told(step: float, steps: int) -> str:
    """Say how long steps take, in seconds each; measuring after epochs comes on top.

    Example:
        >>> duration_told(3.1, 494)
        'about 26 min to go: 494 steps of 3.1 s, and a look at each epoch'

    """
    minutes = step * steps / 60
    long = f"{minutes:.0f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"
    return (
        f"about {long} to go: {steps:,} steps of {step:.2g} s, and a look at each epoch"
    )
