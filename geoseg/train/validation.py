"""A look at a training after each epoch: measured, kept, reported."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from geoseg.progress import OnStep, Step
from geoseg.train.checkpoint import Checkpoint, Epoch
from geoseg.train.held_out import measure, predict_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from geoseg.train.dataset import TrainingData
    from geoseg.train.trainer import Trainer

_TIMED = 5
"""Steps after the first, which prepares much, that show how long a training takes."""


class Validator:
    """Looks at a training after each epoch, and reports it."""

    def __init__(
        self,
        dataset: TrainingData,
        stride: int,
        checkpoint: Checkpoint,
        on_step: OnStep,
        epochs: list[Epoch],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Begin.

        Args:
            dataset: What is learned from; epochs are measured on its validated blocks.
            stride: What sides of tiles are multiples of.
            checkpoint: Where each epoch is kept.
            on_step: Called with each step.
            epochs: Those that an interrupted training had.
            clock: Gives seconds.

        """
        self.dataset, self.stride, self.checkpoint = dataset, stride, checkpoint
        self.on_step, self.epochs = on_step, epochs
        self.clock, self.seconds = clock, list[float]()
        self.images = dataset.images()
        self.labels = [ground.labels for ground in dataset.grounds]

    def progress(self, trainer: Trainer) -> None:
        """Return how far the training is."""
        note = ""
        if len(self.seconds) <= _TIMED:
            self.seconds.append(self.clock())
            if len(self.seconds) > _TIMED:
                step = (self.seconds[-1] - self.seconds[0]) / _TIMED
                note = duration_sentence(step, trainer.settings.steps - trainer.step)
        self._tell(trainer, note)

    def look(self, trainer: Trainer) -> bool:
        """Measure, keep, report; True where nothing was gained for too long."""
        plan, dataset = trainer.settings, self.dataset
        found = [
            predict_blocks(trainer.averaged, image, split, self.stride, plan.device)
            for image, split in zip(self.images, dataset.validated, strict=True)
        ]
        accuracy = measure(self.labels, found, dataset.legend)
        number = -(-trainer.step // plan.epoch)
        epoch = Epoch(
            number,
            trainer.step,
            float(np.mean(trainer.losses[-plan.epoch :])),
            plan.learning_rate_at(trainer.step - 1),
            accuracy.overall,
            accuracy.mean_f1,
            accuracy.mean_iou,
        )
        self.epochs.append(epoch)
        self.checkpoint.keep(trainer, self.epochs)
        self._tell(trainer, epoch.sentence())
        best = max(self.epochs, key=lambda each: each.mean_f1)
        patience = dataset.options.patience
        return bool(patience) and number - best.number >= patience

    def _tell(self, trainer: Trainer, note: str) -> None:
        done, total = trainer.step, trainer.settings.steps
        self.on_step(Step("train", done, total, note=note, kept=bool(self.epochs)))


def duration_sentence(step: float, steps: int) -> str:
    """Say how long steps take, in seconds each; measuring after epochs comes on top.

    Example:
        >>> duration_sentence(3.1, 494)
        'about 26 min to go: 494 steps of 3.1 s, and a look at each epoch'

    """
    minutes = step * steps / 60
    long = f"{minutes:.0f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"
    return (
        f"about {long} to go: {steps:,} steps of {step:.2g} s, and a look at each epoch"
    )
