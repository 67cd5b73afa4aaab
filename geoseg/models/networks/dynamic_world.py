"""The network of Dynamic World: nine classes of land cover from Sentinel-2.

Brown et al.: Dynamic World, Near real-time global 10 m land use land cover mapping,
Scientific Data 9:251 (2022), https://doi.org/10.1038/s41597-022-01307-4. It works at
half the side of the image between one convolution and the scores::

    pixels - squash - 3x3 - half - block - block - + - block - double - norm - scores
                              `- 1x1 - depthwise --'

A block is three pairs of a 1 x 1 and a depthwise 3 x 3 convolution, plus a 1 x 1
projection of its input. Every convolution but the last is followed by batch
normalisation and mish (Misra 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPSILON = 1e-3
"""What batch normalisation adds to a variance."""
_LEAST_NORM = 1e-12
"""The least squared length by which a pixel's features are divided."""


class DynamicWorld(nn.Module):
    """Brown et al.'s network, of any widths.

    It takes float pixels ``(tile, band, y, x)``, normalised by the z-score that
    `Squash` asks for, sides of 2 or more, and gives logits ``(tile, class, y, x)``.
    """

    tile_stride = 2
    """Tiles begin at multiples of this: halving the side meets the same pixels then."""

    def __init__(
        self,
        in_channels: int = 9,
        classes: int = 9,
        widths: Sequence[int] = (64, 96, 144, 48),
    ) -> None:
        """Make the network.

        Args:
            in_channels: Bands.
            classes: Classes.
            widths: Channels of the first convolution, of the first block, of the two
                others, and of the way beside the first two.

        """
        super().__init__()
        self.config = {
            "in_channels": in_channels,
            "classes": classes,
            "widths": list(widths),
        }
        stem, first, second, beside = widths
        self.squash = Squash(in_channels)
        self.stem = _unit(in_channels, stem, kernel=3)
        self.first = _Block(stem, first)
        self.second = _Block(first, second)
        self.beside = nn.Sequential(_unit(stem, beside), _depthwise(beside))
        self.third = _Block(second + beside, second)
        self.segmentation_head = nn.Conv2d(second, classes, 1)

    def forward(self, tiles: Tensor) -> Tensor:
        """Score tiles."""
        sides = tiles.shape[2], tiles.shape[3]
        halves = sides[0] // 2, sides[1] // 2
        fine = self.stem(self.squash(tiles))
        coarse = _resize(fine, halves, antialias=True)
        far = self.second(self.first(coarse))
        seen = self.third(torch.cat((far, self.beside(coarse)), dim=1))
        scores: Tensor = self.segmentation_head(_unit_length(_resize(seen, sides)))
        return scores


class Squash(nn.Module):
    """Bring pixels into 0..1 by a logarithm and a sigmoid, each band by its own gain.

    The paper's squash of a digital number d is ``sigmoid(5 (ln(0.005 d + 1) - low) /
    spread - 1)``, with two figures a band. `squash_statistics` gives the mean and the
    deviation by which pixels z are normalised so that this is ``sigmoid(gain
    ln(1 + z))``: then 0, which stands for pixels that have no data, is a band's middle,
    and not the darkest shadow.
    """

    gain: Tensor

    def __init__(self, bands: int) -> None:
        """Begin with a gain of 1 for each band; the weights bring their own."""
        super().__init__()
        self.register_buffer("gain", torch.ones(1, bands, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Squash pixels; what is so low that it has no logarithm becomes 0."""
        positive = (pixels + 1).clamp_min(torch.finfo(pixels.dtype).tiny)
        return torch.sigmoid(self.gain * torch.log(positive))


class _Block(nn.Module):
    """Three pairs of 1 x 1 and depthwise convolutions, plus a projection."""

    def __init__(self, taken: int, given: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _unit(taken, given),
            _depthwise(given),
            _unit(given, given),
            _depthwise(given),
            _unit(given, given),
            _depthwise(given),
        )
        self.projection = _unit(taken, given)

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = self.body(features) + self.projection(features)
        return total


def _unit(taken: int, given: int, *, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(taken, given, kernel, padding=kernel // 2, groups=groups),
        nn.BatchNorm2d(given, eps=_EPSILON),
        nn.Mish(),
    )


def _depthwise(channels: int) -> nn.Sequential:
    return _unit(channels, channels, kernel=3, groups=channels)


def _resize(
    features: Tensor, sides: tuple[int, int], *, antialias: bool = False
) -> Tensor:
    # In float32, since torch antialiases nothing else on a CPU.
    resized = interpolate(features.float(), sides, mode="bilinear", antialias=antialias)
    return resized.to(features.dtype)


def _unit_length(features: Tensor) -> Tensor:
    """Divide each pixel's features by their length."""
    squares = features.square().sum(dim=1, keepdim=True)
    return features * squares.clamp_min(_LEAST_NORM).rsqrt()
