"""Losses that ignore unlabelled pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from segmentation_models_pytorch.losses import FocalLoss, LovaszLoss
from torch.nn import functional

from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Callable


def cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, *, smoothing: float = 0.0
) -> torch.Tensor:
    """Average the cross-entropy over the labelled pixels.

    Args:
        logits: Shape ``(tile, class, y, x)``, float32.
        labels: Channel of the true class, shape ``(tile, y, x)``; 255 is ignored.
        smoothing: Share of the truth spread over all classes, 0 to 1: labels
            that people drew are not all right.

    Returns:
        A scalar; zero where no pixel is labelled.

    """
    labels = labels.long()
    total = functional.cross_entropy(
        logits, labels, ignore_index=NODATA, label_smoothing=smoothing, reduction="sum"
    )
    return total / (labels != NODATA).sum().clamp(min=1)


def dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Give one minus the mean soft F1 of the classes that the batch holds.

    F1 of class c = 2 * sum(p_c * t_c) / (sum(p_c) + sum(t_c)) over the labelled
    pixels of the whole batch, p the probabilities and t the truth.

    Args:
        logits: Shape ``(tile, class, y, x)``, float32.
        labels: Channel of the true class, shape ``(tile, y, x)``; 255 is ignored.

    Returns:
        A scalar, 0 to 1; zero where no pixel is labelled.

    """
    classes = logits.shape[1]
    labelled = labels != NODATA  # (tile, y, x)
    # Unlabelled pixels get a class of their own, which is then cut off: cheaper
    # than picking the labelled pixels out.
    channel = torch.where(labelled, labels, classes).long()
    truth = functional.one_hot(channel, classes + 1)[..., :classes].movedim(-1, 1)
    scores = logits.softmax(dim=1) * labelled.unsqueeze(1)  # (tile, class, y, x)
    hits = (scores * truth).sum(dim=(0, 2, 3))
    pixels = truth.sum(dim=(0, 2, 3))
    f1 = 2 * hits / (scores.sum(dim=(0, 2, 3)) + pixels).clamp(min=1e-6)
    there = pixels > 0
    return ((1 - f1) * there).sum() / there.sum().clamp(min=1)


Loss = Literal["dice+cross-entropy", "cross-entropy", "focal", "lovasz"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


def make_loss(
    name: Loss, *, smoothing: float, weight: float
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Choose a loss.

    Args:
        name: ``cross-entropy``, alone or with Dice; ``focal`` (Lin et al. 2017) or
            ``lovasz`` (Berman et al. 2018), which is added to the cross-entropy, as
            its authors advise for training from the start.
        smoothing: Share of the truth spread over all classes by the cross-entropy.
        weight: Weight of what is added to the cross-entropy's 1.

    Returns:
        From logits and labels, as `cross_entropy` takes them, to a scalar.

    """
    focal = FocalLoss("multiclass", ignore_index=NODATA)
    lovasz = LovaszLoss("multiclass", ignore_index=NODATA)

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if not (labels != NODATA).any():
            return logits.sum() * 0
        if name == "focal":
            value: torch.Tensor = focal(logits, labels.long())
            return value
        value = cross_entropy(logits, labels, smoothing=smoothing)
        if name == "dice+cross-entropy":
            value = value + weight * dice(logits, labels)
        elif name == "lovasz":
            value = value + weight * lovasz(logits, labels.long())
        return value

    return loss
