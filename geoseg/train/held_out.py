"""What a network makes of ground that it never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import TrainingError
from geoseg.evaluate import Accuracy, compare, total
from geoseg.geo.legend import NODATA
from geoseg.train.temperature import SeenPixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.geo.splits import Split


_MOST = 20_000
"""Pixels of a block that decide a temperature: enough for a single number."""


@torch.inference_mode()
def predict_blocks(
    network: torch.nn.Module,
    image: NDArray[np.float32],
    split: Split,
    stride: int,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Predict each held-out block as one tile, without the ground around it.

    Args:
        network: In eval mode, on the device.
        image: The normalised image, shape ``(band, y, x)``.
        split: Which blocks are held out.
        stride: What sides of tiles are multiples of: blocks are mirrored to there.
        device: What computes.

    Returns:
        The channel of each pixel of these blocks, shape ``(y, x)``; 255 elsewhere.

    Raises:
        TrainingError: The network's output is no number.

    """
    predicted = np.full(image.shape[1:], NODATA, np.uint8)
    for (rows, cols), logits in _look(network, image, split, stride, device):
        predicted[rows, cols] = logits.argmax(dim=0).cpu().numpy()
    return predicted


@torch.inference_mode()
def predict_labelled(
    network: torch.nn.Module,
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    split: Split,
    stride: int,
) -> tuple[NDArray[np.uint8], list[SeenPixels]]:
    """Predict held-out blocks as `predict_blocks` does, and keep labelled pixels.

    Args:
        network: In eval mode, on the CPU.
        image: The normalised image, shape ``(band, y, x)``.
        labels: The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled.
        split: Which blocks are held out.
        stride: What sides of tiles are multiples of.

    Returns:
        What `predict_blocks` gives, and the pixels of each block that have labels,
        20,000 at most.

    """
    predicted = np.full(image.shape[1:], NODATA, np.uint8)
    seen = []
    for part, logits in _look(network, image, split, stride, "cpu"):
        predicted[part] = logits.argmax(dim=0).numpy()
        rows, cols = np.nonzero(labels[part] != NODATA)
        if len(rows) > _MOST:  # evenly, so that no chance decides
            some = np.linspace(0, len(rows) - 1, _MOST).astype(np.int64)
            rows, cols = rows[some], cols[some]
        seen.append(
            SeenPixels(
                logits[:, rows, cols].T.float().numpy(),
                labels[part][rows, cols],
                np.zeros(len(rows), np.int64),
            )
        )
    return predicted, seen


def _look(
    network: torch.nn.Module,
    image: NDArray[np.float32],
    split: Split,
    stride: int,
    device: str,
) -> Iterator[tuple[tuple[slice, slice], torch.Tensor]]:
    """Give each held-out block with its logits, shape ``(class, y, x)``."""
    for rows, cols in split.test_blocks():
        tile = image[:, rows, cols]
        missing = [(0, -side % stride) for side in tile.shape[1:]]
        padded = np.pad(tile, [(0, 0), *missing], mode="symmetric")
        logits = network(torch.from_numpy(padded[np.newaxis]).to(device))
        if not torch.isfinite(logits).all():
            raise TrainingError(
                "the network's output is no number on held-out ground; lower the "
                "learning rate, or begin from other weights"
            )
        yield (rows, cols), logits[0, :, : tile.shape[1], : tile.shape[2]]


def measure(
    labels: Sequence[NDArray[np.uint8]],
    predicted: Sequence[NDArray[np.uint8]],
    legend: Legend,
) -> Accuracy:
    """Compare predictions with labels, both channels, where both are."""
    ids = np.full(NODATA + 1, NODATA, np.uint8)
    ids[: len(legend)] = legend.ids
    return total(
        [
            compare(ids[known], ids[found], legend)
            for known, found in zip(labels, predicted, strict=True)
        ]
    )
