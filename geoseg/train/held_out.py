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
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.geo.splits import Split
    from geoseg.train.strips import Plane

    Blocks = Iterable[tuple[tuple[slice, slice], NDArray[np.uint8]]]


_MOST = 20_000
"""Pixels of a block that decide a temperature: so many fix a single number."""
_ALL = 4_000_000
"""Pixels of all blocks that do: of large ground fewer of each."""


def predict_blocks(
    network: torch.nn.Module,
    image: Plane,
    split: Split,
    stride: int,
    device: str = "cpu",
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.uint8]]]:
    """Predict each held-out block as one tile, without the ground around it.

    Args:
        network: In eval mode, on the device.
        image: The normalised image, shape ``(band, y, x)``.
        split: Which blocks are held out.
        stride: What sides of tiles are multiples of: blocks are mirrored to there.
        device: What computes.

    Yields:
        Rows and columns of each block, and the channel of each of its pixels.

    Raises:
        TrainingError: The network's output is no number.

    """
    for part, logits in _look(network, image, split, stride, device):
        yield part, logits.argmax(dim=0).cpu().numpy().astype(np.uint8)


def predict_labelled(
    network: torch.nn.Module,
    image: Plane,
    labels: Plane,
    split: Split,
    *,
    stride: int,
    most: int = _MOST,
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.uint8], SeenPixels]]:
    """Predict held-out blocks as `predict_blocks` does, and keep labelled pixels.

    Args:
        network: In eval mode, on the CPU.
        image: The normalised image, shape ``(band, y, x)``.
        labels: The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled.
        split: Which blocks are held out.
        stride: What sides of tiles are multiples of.
        most: How many labelled pixels of a block are kept.

    Yields:
        What `predict_blocks` gives, and the pixels of each block that have labels.

    """
    for part, logits in _look(network, image, split, stride, "cpu"):
        known = labels[part]
        rows, cols = np.nonzero(known != NODATA)
        if len(rows) > most:  # evenly, so that no chance decides
            some = np.linspace(0, len(rows) - 1, most).astype(np.int64)
            rows, cols = rows[some], cols[some]
        seen = SeenPixels(
            logits[:, rows, cols].T.float().numpy(),
            known[rows, cols],
            np.zeros(len(rows), np.int64),
        )
        yield part, logits.argmax(dim=0).numpy().astype(np.uint8), seen


def most_of_a_block(splits: Sequence[Split]) -> int:
    """Say how many pixels of each held-out block decide a temperature, at most."""
    blocks = sum(len(split.test_blocks()) for split in splits)
    return min(_MOST, max(_ALL // max(blocks, 1), 1))


@torch.inference_mode()
def _logits(
    network: torch.nn.Module, tile: NDArray[np.float32], device: str
) -> torch.Tensor:
    logits: torch.Tensor = network(torch.from_numpy(tile[np.newaxis]).to(device))
    return logits


def _look(
    network: torch.nn.Module,
    image: Plane,
    split: Split,
    stride: int,
    device: str,
) -> Iterator[tuple[tuple[slice, slice], torch.Tensor]]:
    """Give each held-out block with its logits, shape ``(class, y, x)``."""
    for rows, cols in split.test_blocks():
        tile = image[:, rows, cols]
        missing = [(0, -side % stride) for side in tile.shape[1:]]
        padded = np.pad(tile, [(0, 0), *missing], mode="symmetric")
        logits = _logits(network, padded, device)
        if not torch.isfinite(logits).all():
            raise TrainingError(
                "the network's output is no number on held-out ground; lower the "
                "learning rate, or begin from other weights"
            )
        yield (rows, cols), logits[0, :, : tile.shape[1], : tile.shape[2]]


def measure(
    labels: Sequence[Plane], predicted: Sequence[Blocks], legend: Legend
) -> Accuracy:
    """Compare predictions with labels, both channels, where both are.

    Args:
        labels: Of each scene, shape ``(y, x)``; 255 where there is none.
        predicted: Rows and columns of blocks of each, and what was predicted there.
        legend: The classes.

    """
    return total(
        [
            compare_block(known[part], found, legend)
            for known, blocks in zip(labels, predicted, strict=True)
            for part, found in blocks
        ]
    )


def compare_block(
    known: NDArray[np.uint8], found: NDArray[np.uint8], legend: Legend
) -> Accuracy:
    """Compare predictions of a block with its labels, both channels."""
    ids = np.full(NODATA + 1, NODATA, np.uint8)
    ids[: len(legend)] = legend.ids
    return compare(ids[known], ids[found], legend)
