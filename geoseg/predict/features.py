"""What the models of a run know of pixels, as features to measure distances in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from geoseg.models.networks.network import load_bare, load_network
from geoseg.models.networks.penultimate import Penultimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geoseg.models.package.package import ModelPackage
    from geoseg.predict.loaded_model import LoadedModel


def tile_features(
    model: LoadedModel,
    device: str,
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Give what a model knows of each pixel of a tile.

    That is its penultimate layer, in float32; of an ONNX graph the scores, since its
    layers have no names.

    Args:
        model: The model.
        device: What computes.
        pixels: The bands that its predictor reads, raw, shape ``(band, y, x)``.
        valid: True where they have data, shape ``(y, x)``.

    Returns:
        Shape ``(feature, y, x)``.

    """
    with torch.inference_mode():
        raw = torch.from_numpy(pixels)[None].to(device, torch.float32)
        unseen = torch.from_numpy(~valid)[None].to(device)
        found = _load(model.package, device)(model.normalise(raw, unseen))
        features: NDArray[np.float32] = found[0].float().cpu().numpy()
    return features


@cache
def _load(package: ModelPackage, device: str) -> nn.Module:
    if package.is_onnx:
        return load_network(package).to(device)
    return Penultimate(load_bare(package)).eval().to(device)
