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

from geoseg.models.networks.forest import Forest
from geoseg.models.networks.penultimate import EncoderStages, Penultimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEADS = ("linear", "mlp", "forest", "voting")
"""What may follow the features."""


class _WindowSums(nn.Module):
    """Sums of squares of so many pixels a side, zeros beyond the edge.

    A convolution of each plane by itself, along columns and then along rows: several
    times as fast as a pooling, where the planes of a pixel lie beside each other
    (`torch.channels_last`).
    """

    ones: Tensor

    def __init__(self, planes: int, side: int) -> None:
        super().__init__()
        self.planes, self.reach = planes, side // 2
        self.register_buffer("ones", torch.ones(planes, 1, side, 1), persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        down = conv2d(planes, self.ones, padding=(self.reach, 0), groups=self.planes)
        across = self.ones.transpose(2, 3)
        return conv2d(down, across, padding=(0, self.reach), groups=self.planes)


class ContextFeatures(nn.Module):
    """The bands, then the mean and the standard deviation of each in square windows.

    Takes normalised tiles, ``(tile, band, y, x)``, in which all bands are 0 where there
    is no data: such pixels, and those beyond the tile, do not count.
    """

    def __init__(self, bands: int, windows: Sequence[int]) -> None:
        """Make layers.

        Args:
            bands: How many there are.
            windows: The sides of the windows, odd numbers of pixels; none for bands
                alone.

        """
        super().__init__()
        self.sums = nn.ModuleList(_WindowSums(2 * bands + 1, side) for side in windows)

    def forward(self, tiles: Tensor) -> Tensor:
        """Give ``(tile, feature, y, x)``: `feature_count` of them."""
        if not self.sums:
            return tiles
        bands = tiles.shape[1]
        valid = (tiles != 0).any(1, keepdim=True).to(tiles.dtype)
        summed = torch.cat([tiles, tiles * tiles, valid], 1)
        summed = summed.contiguous(memory_format=torch.channels_last)
        found = [tiles]
        for window in self.sums:
            sums = window(summed)
            means = sums[:, :-1] / sums[:, -1:].clamp(min=1)
            mean, square = means[:, :bands], means[:, bands:]
            found += [mean, (square - mean * mean).clamp(min=0).sqrt()]
        return torch.cat(found, 1)


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


class _Head(nn.Module):
    """What makes scores of features; its classifier knows the classes."""

    def __init__(self, first: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.first, self.classifier = first, classifier

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.first(features))
        return scores


class _Voting(Forest):
    """A forest and a linear classifier: the mean of their probabilities, as scores."""

    def __init__(self, features: int, classes: int, **trees: int) -> None:
        super().__init__(features, classes, **trees)
        self.linear = nn.Conv2d(features, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        of_trees = super().forward(features).softmax(1)
        scores: Tensor = (of_trees + self.linear(features).softmax(1)).log()
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
            trees: Trees of a ``forest``, alone or ``voting``.
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
        self.features: nn.Module = ContextFeatures(in_channels, windows)
        if network is not None:
            self.config |= {"frozen": frozen, "part": part, "more": more}
            self.features = ProbeFeatures(self.features, frozen_part(network, part))
        # A matrix product of whole planes needs no other order of them.
        self.memory_format = (
            torch.contiguous_format if self.features_are_bands else torch.channels_last
        )
        first: nn.Module = nn.Identity()
        if head == "mlp":
            first = nn.Sequential(nn.Conv2d(features, hidden, 1), nn.ReLU())
            features = hidden
        made = {"forest": Forest, "voting": _Voting}.get(head)
        classifier = (
            made(features, classes, trees=trees, nodes=nodes, depth=depth)
            if made
            else nn.Conv2d(features, classes, 1)
        )
        self.segmentation_head = _Head(first, classifier)

    @property
    def linear(self) -> nn.Conv2d | None:
        """The weights that bands are multiplied with, where nothing else is done."""
        head = self.segmentation_head
        is_alone = self.features_are_bands and isinstance(head.first, nn.Identity)
        layer = head.classifier
        return layer if is_alone and isinstance(layer, nn.Conv2d) else None

    @property
    def features_are_bands(self) -> bool:
        """Whether a pixel's features are its own bands."""
        return isinstance(self.features, ContextFeatures) and not self.features.sums

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
