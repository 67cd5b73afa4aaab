"""The training loop: flat, seeded, meant to be read and edited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from geoseg.errors import TrainingError
from geoseg.storage.prefetch import read_ahead
from geoseg.train.augmentation import jitter
from geoseg.train.losses import Loss, make_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Schedule = Literal["cosine", "one-cycle"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

_SKIPS = 24
"""Steps in a row whose float16 gradients may overflow: the loss is scaled to half each
time, from 2^16 at first, so that after so many it is not the scale that is at fault."""


class Samples(Protocol):
    """Where samples come from, such as `Chips`."""

    def draw(
        self, count: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw images ``(chip, band, y, x)`` and labels ``(chip, y, x)``."""
        ...


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What decides a training run, beside its data and first weights."""

    seed: int = 0
    """Decides which chips are drawn and what dropout drops."""
    steps: int = 600
    """Batches shown."""
    batch: int = 8
    """Chips a batch."""
    learning_rate: float = 1e-3
    """At its highest, after the warm-up."""
    warmup: int = 50
    """Steps in which the learning rate rises from zero."""
    weight_decay: float = 0.05
    """AdamW's pull towards small weights."""
    smoothing: float = 0.05
    """Share of the truth spread over all classes."""
    dice: float = 0.5
    """Weight of the Dice loss beside the cross-entropy's 1."""
    average: float = 0.99
    """Decay a step of the running mean of the weights, which is what is kept."""
    precision: str = "bfloat16"
    """``float32``, ``bfloat16`` or ``float16``, where that is safe; losses, weights and
    their gradients are float32 in any case."""
    loss: Loss = "dice+cross-entropy"
    """What is made small."""
    schedule: Schedule = "cosine"
    """How the learning rate falls after it rose: along half a cosine after a short
    warm-up in a line, or as one cycle (Smith 2018), three tenths of it rising."""
    jitter: float = 0.0
    """Standard deviation of changes of brightness, in those of a band; 0 for none."""
    device: str = "cpu"
    """What computes: ``cpu``, ``cuda`` or ``mps``."""
    epoch: int = 0
    """Steps between two looks at the network; 0 for none before the end."""

    def learning_rate_at(self, step: int) -> float:
        """Rise, then fall along half a cosine to zero."""
        if self.schedule == "one-cycle":
            rise = max(0.3 * self.steps, 1)
            if step < rise:
                share = 0.5 * (1 - math.cos(math.pi * step / rise))
                return self.learning_rate * (0.04 + 0.96 * share)
            share = (step - rise) / max(self.steps - rise, 1)
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        share = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


class Trainer:
    """A training under way: all that a later process needs to carry on."""

    def __init__(self, network: torch.nn.Module, settings: TrainSettings) -> None:
        """Begin; the network is changed."""
        self.settings = settings
        device = torch.device(settings.device)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), weight_decay=settings.weight_decay, fused=True
        )
        # The running mean also averages the batch statistics, not only the weights.
        averaging = get_ema_multi_avg_fn(  # type: ignore[no-untyped-call]  # torch has none
            settings.average
        )
        self.mean = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
        # float16 loses small gradients: the loss is scaled up, and they down again.
        self.scaler = torch.amp.GradScaler(
            settings.device, enabled=settings.precision == "float16"
        )
        self.step = self.skipped = 0
        self.losses: list[float] = []

    @property
    def averaged(self) -> torch.nn.Module:
        """The running mean of the weights, in eval mode."""
        network: torch.nn.Module = self.mean.module
        return network.eval()

    def state(self) -> dict[str, Any]:
        """Give tensors and plain values from which `restore` carries on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "skipped": self.skipped,
            "losses": self.losses,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Carry on from a state."""
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.skipped = state["step"], state["skipped"]
        self.losses = list(state["losses"])

    def learn(self, drawn: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> None:
        """Take one step.

        Raises:
            TrainingError: The loss or a gradient is not a number.

        """
        # Chance depends on the step alone: a resumed training is the same.
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)
        images, labels = self.prepare(drawn)
        if self.descend(images, labels):
            self.mean.update_parameters(self.network)
        self.step += 1

    def prepare(
        self, drawn: tuple[NDArray[np.float32], NDArray[np.uint8]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring images and labels to the device, and vary the images."""
        device = torch.device(self.settings.device)
        images = torch.from_numpy(drawn[0]).to(device, non_blocking=True)
        labels = torch.from_numpy(drawn[1]).to(device, non_blocking=True)
        if self.settings.jitter:
            # Before channels come last: torch draws noise for such a tensor one number
            # at a time, eleven times as slowly.
            images = jitter(self.settings.jitter)(images)
        return images.to(memory_format=torch.channels_last), labels

    def descend(self, images: torch.Tensor, labels: torch.Tensor) -> bool:
        """Go forward, back, and a step down; False where float16 overflowed instead.

        Raises:
            TrainingError: The loss or a gradient is not a number.

        """
        plan = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = plan.learning_rate_at(self.step)
        half = torch.float16 if plan.precision == "float16" else torch.bfloat16
        with torch.autocast(images.device.type, half, plan.precision != "float32"):
            logits = self.network(images)  # (tile, class, y, x)
        criterion = make_loss(plan.loss, smoothing=plan.smoothing, weight=plan.dice)
        loss = criterion(logits.float(), labels)
        self.losses.append(loss.item())
        if not math.isfinite(self.losses[-1]):
            raise TrainingError(self._no_number(f"the loss is {self.losses[-1]}"))

        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0).item()
        finite = math.isfinite(norm)
        self.skipped = 0 if finite else self.skipped + 1
        if self.skipped > (_SKIPS if self.scaler.is_enabled() else 0):
            raise TrainingError(self._no_number(f"the gradient is {norm} long"))
        self.scaler.step(self.optimiser)  # which leaves the weights if it overflowed
        self.scaler.update()
        return finite

    def _no_number(self, what: str) -> str:
        return (
            f"{what} at step {self.step}; lower the learning rate "
            f"({self.settings.learning_rate}) or check the image for bad pixels"
        )


def train(
    network: torch.nn.Module,
    chips: Samples,
    settings: TrainSettings,
    progress: Callable[[int, float], None] = lambda _step, _loss: None,
) -> torch.nn.Module:
    """Train a network on chips and return its running mean, in eval mode.

    The same network, chips, settings and number of threads give the same weights
    on the same machine.

    Args:
        network: From ``(tile, band, y, x)`` to ``(tile, class, y, x)`` logits. It is
            changed.
        chips: Where samples come from.
        settings: What else decides the run.
        progress: Called after each step with the number of steps done and the loss.

    Raises:
        TrainingError: The loss or a gradient is not a number.

    """
    trainer = Trainer(network, settings)
    carry_on(trainer, chips, lambda now: progress(now.step, now.losses[-1]))
    return trainer.averaged


def carry_on(
    trainer: Trainer,
    chips: Samples,
    progress: Callable[[Trainer], None] = lambda _trainer: None,
    look: Callable[[Trainer], bool] = lambda _trainer: False,
) -> None:
    """Train to the end of the trainer, from wherever it is.

    Args:
        trainer: The training; it is changed.
        chips: Where samples come from.
        progress: Called after each step.
        look: Called after each epoch; True ends the training.

    Raises:
        TrainingError: The loss or a gradient is not a number.

    """
    plan = trainer.settings

    def draw(step: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return chips.draw(plan.batch, np.random.default_rng([plan.seed, step]))

    # The next batch is drawn while this one is learned from.
    for _, drawn in read_ahead(draw, range(trainer.step, plan.steps), 1):
        trainer.network.train()
        trainer.learn(drawn)
        progress(trainer)
        ended = plan.epoch and trainer.step % plan.epoch == 0
        if (ended or trainer.step == plan.steps) and look(trainer):
            break
