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
_LEAST = 1e-6
"""A class that is seen nowhere around a pixel has this probability."""


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


class Renormalise(nn.Module):
    """Bring normalised tiles to what a network learned from, of other bands perhaps."""

    gain: Tensor
    offset: Tensor

    def __init__(self, bands: Sequence[int]) -> None:
        """Say for each band of the network its index in the tiles."""
        super().__init__()
        self.bands = list(bands)
        shape = len(self.bands), 1, 1
        self.register_buffer("gain", torch.ones(shape))
        self.register_buffer("offset", torch.zeros(shape))

    def forward(self, tiles: Tensor) -> Tensor:
        """Give 0, a band's mean to the network, where there is no data."""
        seen = (tiles != 0).any(1, keepdim=True)
        normal = tiles[:, self.bands] * self.gain + self.offset
        return normal.masked_fill(~seen, 0.0)


class ProbeFeatures(nn.Module):
    """What `ContextFeatures` give, then what a frozen network knows of each pixel."""

    def __init__(
        self,
        context: ContextFeatures,
        frozen: nn.Module,
        normalise: nn.Module | None = None,
    ) -> None:
        """Take both; the second gives ``(tile, feature, y, x)`` of its tiles.

        Args:
            context: What is beside it.
            frozen: The network, or the part of it.
            normalise: What brings tiles to what it learned from, where they are not.

        """
        super().__init__()
        self.context, self.frozen = context, frozen
        self.normalise = normalise or nn.Identity()

    def forward(self, tiles: Tensor) -> Tensor:
        """Give ``(tile, feature, y, x)``."""
        known = self.frozen(self.normalise(tiles))
        return torch.cat([self.context(tiles), known], 1)


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

    def __init__(
        self, first: nn.Module, classifier: nn.Module, smoothing: _Smoothing | None
    ) -> None:
        super().__init__()
        self.first, self.classifier, self.smoothing = first, classifier, smoothing

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.first(features))
        if self.smoothing is not None:
            scores = self.smoothing(scores, features)
        return scores


class _Smoothing(nn.Module):
    """The mean of the probabilities in a square window, where there is data."""

    def __init__(self, bands: int, classes: int, side: int) -> None:
        super().__init__()
        self.bands = bands
        self.sums = _WindowSums(classes + 1, side)

    def forward(self, scores: Tensor, features: Tensor) -> Tensor:
        # The first features are the bands, all 0 where there is no data.
        seen = (features[:, : self.bands] != 0).any(1, keepdim=True).to(scores.dtype)
        summed = self.sums(torch.cat([scores.softmax(1) * seen, seen], 1))
        likely = summed[:, :-1] / summed[:, -1:].clamp(min=1)
        logits: Tensor = likely.clamp(min=_LEAST).log()
        return logits


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
        frozen_bands: Sequence[int] | None = None,
        network: nn.Module | None = None,
        normalise: Renormalise | None = None,
        smoothing: int = 1,
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
            frozen_bands: For each of its bands the index of it, where it has a
                normalisation of its own.
            network: It, built.
            normalise: That normalisation, where it is known.
            smoothing: The side of the window in which probabilities are averaged, an
                odd number of pixels; 1 where they are not.
            encoder_weights: Nothing here has any.

        Raises:
            ValueError: There is no such head, or a window is no odd number.

        """
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"a head is one of {', '.join(HEADS)}, not {head!r}")
        sides = [*windows, smoothing]
        if any(side < 1 or side % 2 == 0 for side in sides):
            raise ValueError(f"windows have odd sides, not {sides}")
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
            "smoothing": smoothing,
        }
        features = feature_count(in_channels, windows) + more
        self.features: nn.Module = ContextFeatures(in_channels, windows)
        if network is not None:
            self.config |= {"frozen": frozen, "part": part, "more": more}
            if normalise is None and frozen_bands is not None:
                normalise = Renormalise(frozen_bands)
            if normalise is not None:
                self.config["frozen_bands"] = normalise.bands
            known = frozen_part(network, part)
            self.features = ProbeFeatures(self.features, known, normalise)
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
        averaged = None
        if smoothing > 1:
            averaged = _Smoothing(in_channels, classes, smoothing)
        self.segmentation_head = _Head(first, classifier, averaged)

    @property
    def linear(self) -> nn.Conv2d | None:
        """The weights that bands are multiplied with, where nothing else is done."""
        head = self.segmentation_head
        plain = isinstance(head.first, nn.Identity) and head.smoothing is None
        is_alone = self.features_are_bands and plain
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
