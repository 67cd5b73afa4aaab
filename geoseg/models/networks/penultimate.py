"""What a network knows of a pixel before it names a class: its penultimate layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from geoseg.errors import ModelError
from geoseg.models.networks.network import load_bare
from geoseg.models.networks.onnx import OnnxNetwork

if TYPE_CHECKING:
    from geoseg.models.package.package import ModelPackage


class Penultimate(nn.Module):
    """A network without its last layers: features where there were scores.

    Every architecture has its scores from its ``segmentation_head`` and nothing after.
    What is coarser than the tile is brought to its pixels, bilinearly.
    """

    def __init__(self, network: nn.Module) -> None:
        """Take a network apart; it is changed."""
        super().__init__()
        network.segmentation_head = _AsItIs()
        self.network = network

    def forward(self, tiles: Tensor) -> Tensor:
        """Give features of normalised tiles, float32, ``(tile, feature, y, x)``."""
        found = self.network(tiles)
        layers = [found] if isinstance(found, Tensor) else list(found)
        size = tiles.shape[-2:]
        fine = [
            each
            if each.shape[-2:] == size
            else interpolate(each, size, mode="bilinear", align_corners=False)
            for each in layers
        ]
        return torch.cat(fine, 1)


class _AsItIs(nn.Module):
    """Gives what it gets, of several layers all."""

    def forward(self, *layers: Tensor) -> Tensor | tuple[Tensor, ...]:
        return layers[0] if len(layers) == 1 else layers


def load_penultimate(package: ModelPackage) -> Penultimate:
    """Load a package's network without its last layers, in eval mode on the CPU.

    Raises:
        ModelError: It cannot be loaded, or is a graph whose layers nobody names.

    """
    network = load_bare(package)
    if isinstance(network, OnnxNetwork):
        raise ModelError(
            f"the model {package.name} is an ONNX graph, of which nobody knows the "
            f"last layer but one; give a package with weights in safetensors"
        )
    return Penultimate(network).eval()
