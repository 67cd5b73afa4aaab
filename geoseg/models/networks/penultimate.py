"""What a network knows of a pixel before it names a class, on the pixels of its tile.

Alain and Bengio (2017), Understanding intermediate layers using linear classifier
probes, ICLR workshop: a simple classifier shows what is in frozen features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence


class Penultimate(nn.Module):
    """A network without its last layers: features where there were scores.

    Every architecture has its scores from its ``segmentation_head`` and nothing after.
    """

    def __init__(self, network: nn.Module) -> None:
        """Take a network apart; it is changed."""
        super().__init__()
        network.segmentation_head = _AsItIs()
        self.network = network

    def forward(self, tiles: Tensor) -> Tensor:
        """Give features of normalised tiles, ``(tile, feature, y, x)``."""
        found = self.network(tiles)
        return _on_pixels([found] if isinstance(found, Tensor) else found, tiles)


class EncoderStages(nn.Module):
    """All that a network's encoder gives, coarse and fine."""

    def __init__(self, encoder: nn.Module) -> None:
        """Take the encoder of one of smp's networks."""
        super().__init__()
        self.encoder = encoder

    def forward(self, tiles: Tensor) -> Tensor:
        """Give features of normalised tiles, ``(tile, feature, y, x)``."""
        _, *stages = self.encoder(tiles)  # the first is the tiles themselves
        return _on_pixels([each for each in stages if each.shape[1]], tiles)


def _on_pixels(layers: Sequence[Tensor], tiles: Tensor) -> Tensor:
    """Bring layers to the tiles' pixels, bilinearly, and lay them on each other."""
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
