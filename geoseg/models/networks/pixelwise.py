"""Classifiers of single pixels as networks: fixed features, and a head fitted to them.

What scikit-learn fits to a few labels becomes convolutions of 1 x 1 pixels, or the
tensors of a forest, so that it is mapped as any network is. Features are the bands,
or the bands with their means and standard deviations in square windows: nothing of
them is learned, and they look as far as half the widest window. Lu and Weng (2007), A
survey of image classification methods, IJRS 28, call such windows contextual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from geoseg.models.networks.penultimate import EncoderStages, Penultimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEADS = ("linear", "mlp", "forest")
"""What may follow the features."""
_LEAST = 1e-4
"""A class that no tree of a forest votes for has this share of the probability."""


class ContextFeatures(nn.Module):
    """The bands, then the mean and the standard deviation of each in square windows.

    Takes normalised tiles, ``(tile, band, y, x)``, in which all bands are 0 where there
    is no data: such pixels, and those beyond the tile, do not count.
    """

    def __init__(self, windows: Sequence[int]) -> None:
        """Say the sides of the windows, odd numbers of pixels; none for bands alone."""
        super().__init__()
        self.windows = tuple(windows)

    def forward(self, tiles: Tensor) -> Tensor:
        """Give ``(tile, feature, y, x)``: `feature_count` of them."""
        if not self.windows:
            return tiles
        bands = tiles.shape[1]
        valid = (tiles != 0).any(1, keepdim=True).to(tiles.dtype)
        summed = torch.cat([tiles, tiles * tiles, valid], 1)
        summed = summed.contiguous(memory_format=torch.channels_last)
        found = [tiles]
        for side in self.windows:
            sums = window_sums(summed, side)
            means = sums[:, :-1] / sums[:, -1:].clamp(min=1)
            mean, square = means[:, :bands], means[:, bands:]
            found += [mean, (square - mean * mean).clamp(min=0).sqrt()]
        return torch.cat(found, 1)


def window_sums(planes: Tensor, side: int) -> Tensor:
    """Sum squares of so many pixels a side around each pixel, zeros beyond the edge.

    Along columns, then along rows. A convolution of each plane by itself is several
    times as fast as a pooling, where the planes of a pixel lie beside each other
    (`torch.channels_last`).
    """
    count, half = planes.shape[1], side // 2
    ones = planes.new_ones(count, 1, side, 1)
    down = conv2d(planes, ones, padding=(half, 0), groups=count)
    return conv2d(down, ones.transpose(2, 3), padding=(0, half), groups=count)


def feature_count(bands: int, windows: Sequence[int]) -> int:
    """Count the features of so many bands."""
    return bands * (1 + 2 * len(windows))


class ProbeFeatures(nn.Module):
    """What `ContextFeatures` give, then what a frozen network knows of each pixel."""

    def __init__(self, context: ContextFeatures, frozen: nn.Module) -> None:
        """Take both; the second gives ``(tile, feature, y, x)`` of its tiles."""
        super().__init__()
        self.context, self.frozen = context, frozen

    def forward(self, tiles: Tensor) -> Tensor:
        """Give ``(tile, feature, y, x)``."""
        return torch.cat([self.context(tiles), self.frozen(tiles)], 1)


def frozen_part(network: nn.Module, part: str) -> nn.Module:
    """Take of a network what is probed: its ``encoder``, or all but the last layers.

    Raises:
        ValueError: There is no such part.

    """
    if part == "encoder":
        return EncoderStages(network.get_submodule("encoder"))
    if part == "penultimate":
        return Penultimate(network)
    raise ValueError(f"a part is encoder or penultimate, not {part!r}")


class Forest(nn.Module):
    """Decision trees that all vote: Breiman (2001), Random forests, ML 45.

    Trees are tensors of shape ``(tree, node)``. A leaf's children are itself, so that
    ``depth`` steps end in a leaf of each tree, wherever it is.
    """

    feature: Tensor
    threshold: Tensor
    below: Tensor
    above: Tensor
    weight: Tensor

    def __init__(self, classes: int, trees: int, nodes: int, depth: int) -> None:
        """Make room for trees."""
        super().__init__()
        self.depth = depth
        for name in ("feature", "below", "above"):
            self.register_buffer(name, torch.zeros(trees, nodes, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(trees, nodes))
        # A leaf's shares of the classes.
        self.register_buffer("weight", torch.zeros(classes, trees, nodes))

    def forward(self, features: Tensor) -> Tensor:
        """Give the logarithm of the mean of the trees' shares of each class."""
        count, _, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).flatten(0, 2)
        total = pixels.new_zeros(len(pixels), self.weight.shape[0])
        for tree in range(self.feature.shape[0]):
            node = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)
            for _ in range(self.depth):
                value = pixels.gather(1, self.feature[tree][node][:, None])[:, 0]
                is_below = value <= self.threshold[tree][node]
                node = torch.where(
                    is_below, self.below[tree][node], self.above[tree][node]
                )
            total += self.weight[:, tree].T.contiguous()[node]
        scores: Tensor = (total / self.feature.shape[0]).clamp(min=_LEAST).log()
        scores += 0 * pixels.sum(1, keepdim=True)  # NaN falls on no side of a threshold
        return scores.reshape(count, height, width, -1).permute(0, 3, 1, 2)


class _Head(nn.Module):
    """What makes scores of features; its classifier knows the classes."""

    def __init__(self, first: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.first, self.classifier = first, classifier

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.first(features))
        return scores


class Pixelwise(nn.Module):
    """Fixed features and a fitted head, with the signature of smp's networks."""

    def __init__(  # noqa: PLR0913  # what config.json says, by name
        self,
        *,
        encoder_name: str,
        in_channels: int,
        classes: int,
        head: str = "linear",
        windows: Sequence[int] = (),
        hidden: int = 0,
        trees: int = 0,
        nodes: int = 0,
        depth: int = 0,
        frozen: dict[str, Any] | None = None,
        part: str = "",
        more: int = 0,
        network: nn.Module | None = None,
        encoder_weights: None = None,  # noqa: ARG002  # what build_network says
    ) -> None:
        """Make the network, of zeros where something is fitted.

        Args:
            encoder_name: What the features are called: ``pixel``, ``context`` or
                ``probe``.
            in_channels: Bands.
            classes: Classes.
            head: One of `HEADS`.
            windows: The sides of the windows of ``context``, odd numbers of pixels.
            hidden: Units of the hidden layer of an ``mlp``.
            trees: Trees of a ``forest``.
            nodes: Nodes of its largest tree.
            depth: Steps from a root to its farthest leaf.
            frozen: The configuration of the network that a ``probe`` looks into.
            part: What of it is taken, see `frozen_part`.
            more: The features that it gives.
            network: It, built.
            encoder_weights: Nothing here has any.

        Raises:
            ValueError: There is no such head, or a window is no odd number.

        """
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"a head is one of {', '.join(HEADS)}, not {head!r}")
        if any(side < 1 or side % 2 == 0 for side in windows):
            raise ValueError(f"windows have odd sides, not {list(windows)}")
        self.config: dict[str, Any] = {
            "encoder_name": encoder_name,
            "in_channels": in_channels,
            "classes": classes,
            "head": head,
            "windows": list(windows),
            "hidden": hidden,
            "trees": trees,
            "nodes": nodes,
            "depth": depth,
        }
        features = feature_count(in_channels, windows) + more
        self.features: nn.Module = ContextFeatures(windows)
        if network is not None:
            self.config |= {"frozen": frozen, "part": part, "more": more}
            self.features = ProbeFeatures(self.features, frozen_part(network, part))
        # A matrix product of whole planes needs no other order of them.
        is_pixel = not windows and network is None
        self.memory_format = (
            torch.contiguous_format if is_pixel else torch.channels_last
        )
        first: nn.Module = nn.Identity()
        if head == "mlp":
            first = nn.Sequential(nn.Conv2d(features, hidden, 1), nn.ReLU())
            features = hidden
        classifier = (
            Forest(classes, trees, nodes, depth)
            if head == "forest"
            else nn.Conv2d(features, classes, 1)
        )
        self.segmentation_head = _Head(first, classifier)

    def forward(self, tiles: Tensor) -> Tensor:
        """Give scores, ``(tile, class, y, x)``, of normalised tiles."""
        scores: Tensor = self.segmentation_head(self.features(tiles))
        return scores


def put_layer(
    layer: nn.Module, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> None:
    """Give a 1 x 1 convolution its weights, shape ``(output, input)``, and biases."""
    tensors = {
        "weight": torch.from_numpy(weight.astype(np.float32))[:, :, None, None],
        "bias": torch.from_numpy(bias.astype(np.float32)),
    }
    layer.load_state_dict(tensors)
