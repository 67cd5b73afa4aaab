"""The training loop: flat, seeded, meant to be read and edited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from geoseg.errors import TrainingError
from geoseg.train.losses import cross_entropy, dice

if TYPE_CHECKING:
    from collections.abc import Callable

    from geoseg.train.chips import Chips


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
    bfloat16: bool = True
    """Compute in bfloat16 where that is safe; losses are float32 in any case."""

    def learning_rate_at(self, step: int) -> float:
        """Rise in a line, then fall along half a cosine to zero."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        share = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def train(
    network: torch.nn.Module,
    chips: Chips,
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
        TrainingError: The loss is not a number.

    """
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), weight_decay=settings.weight_decay, fused=True
    )
    # The running mean also averages the batch statistics, not only the weights.
    averaging = get_ema_multi_avg_fn(  # type: ignore[no-untyped-call]  # torch has none
        settings.average
    )
    mean = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)

    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate_at(step)

        drawn, truth = chips.draw(settings.batch, random)
        images = torch.from_numpy(drawn).to(memory_format=torch.channels_last)
        labels = torch.from_numpy(truth)

        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            logits = network(images)  # (tile, class, y, x)
        logits = logits.float()
        loss = cross_entropy(logits, labels, smoothing=settings.smoothing)
        loss = loss + settings.dice * dice(logits, labels)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss.item()} at step {step}; lower the learning rate "
                f"({settings.learning_rate}) or check the image for bad pixels"
            )

        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        mean.update_parameters(network)
        progress(step + 1, loss.item())

    averaged: torch.nn.Module = mean.module
    return averaged.eval()
