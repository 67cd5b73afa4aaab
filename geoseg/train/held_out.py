"""What a network makes of ground that it never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import TrainingError
from geoseg.evaluate import Accuracy, compare, total
from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.geo.splits import Split


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
        best = logits[0].argmax(dim=0).cpu().numpy()
        predicted[rows, cols] = best[: tile.shape[1], : tile.shape[2]]
    return predicted


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
