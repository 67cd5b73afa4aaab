"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s.

Long, Shelhamer and Darrell: Fully Convolutional Networks for Semantic Segmentation,
CVPR 2015, https://arxiv.org/abs/1411.4038. An encoder's coarsest features become
scores by a 1 x 1 convolution; scores are enlarged by transposed convolutions, which
begin as bilinear interpolation and are learned; FCN-16s and FCN-8s add the scores of
finer features on the way.

::

    1/32 features - score - x2 - + ------- x2 - + ------- x8 - scores     (FCN-8s)
    1/16 features ------- score -'              |
    1/8  features --------------------- score --'
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from geoseg.models.networks.lean_import import smp

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEPTH = 5
"""Halvings of the side in an encoder: the coarsest features are at 1/32."""


class _FCN(smp.base.SegmentationModel):  # type: ignore[misc]  # smp has no types
    """What the three have in common, with the signature of smp's networks."""

    strides: ClassVar[tuple[int, ...]]
    """Of the features that are scored, coarsest first."""

    @smp.base.hub_mixin.supports_config_loading  # type: ignore[untyped-decorator]  # the same
    def __init__(  # noqa: PLR0913, PLR0917  # the arguments that smp's networks take
        self,
        encoder_name: str = "vgg16",
        encoder_depth: int = _DEPTH,
        encoder_weights: str | None = "imagenet",
        decoder_channels: int | None = None,
        decoder_dropout: float = 0.5,
        in_channels: int = 3,
        classes: int = 1,
        activation: str | None = None,
        aux_params: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401  # what an encoder of timm takes
    ) -> None:
        """Make the network.

        Args:
            encoder_name: Any encoder of smp; ``vgg16`` as in the paper.
            encoder_depth: The encoder's stages; 5, since features at 1/32 are scored.
            encoder_weights: What the encoder has learned from; None to begin at random.
            decoder_channels: Channels of the two convolutions, 7 x 7 and 1 x 1, that
                VGG's layers fc6 and fc7 become (4096 in the paper); None to score the
                encoder's features as they are, as for encoders without such layers.
            decoder_dropout: Share of those channels that is dropped in training.
            in_channels: Bands.
            classes: Classes.
            activation: What follows the scores; None for plain scores.
            aux_params: Settings of smp's classification head; None for no such head.
            **kwargs: Settings of an encoder of timm.

        Raises:
            ValueError: The depth is not 5.

        """
        super().__init__()
        if encoder_depth != _DEPTH:
            raise ValueError(
                f"an FCN scores features at 1/32: encoder_depth must be {_DEPTH}, "
                f"got {encoder_depth}"
            )
        self.encoder = smp.encoders.get_encoder(
            encoder_name,
            in_channels=in_channels,
            depth=encoder_depth,
            weights=encoder_weights,
            **kwargs,
        )
        self.decoder = _Decoder(
            self.encoder, self.strides, decoder_channels, decoder_dropout
        )
        self.segmentation_head = _Head(
            self.decoder.out_channels, self.strides, classes, activation
        )
        self.classification_head = (
            smp.base.ClassificationHead(self.encoder.out_channels[-1], **aux_params)
            if aux_params
            else None
        )
        self.name = f"fcn{self.strides[-1]}s-{encoder_name}"
        self.initialize()
        self.segmentation_head.begin()

    def forward(self, tiles: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Score tiles.

        Args:
            tiles: Normalised pixels, ``(tile, band, y, x)``, sides multiples of 32.

        Returns:
            Scores, ``(tile, class, y, x)``; and, where there is a classification
            head, what that gives.

        """
        if not torch.compiler.is_compiling():
            self.check_input_shape(tiles)
        features = self.encoder(tiles)
        scores: Tensor = self.segmentation_head(*self.decoder(features))
        if self.classification_head is not None:
            return scores, self.classification_head(features[-1])
        return scores


class FCN32s(_FCN):
    """Scores at 1/32 of the side, enlarged in one step."""

    strides = (32,)


class FCN16s(_FCN):
    """Scores at 1/32 and 1/16."""

    strides = (32, 16)


class FCN8s(_FCN):
    """Scores at 1/32, 1/16 and 1/8."""

    strides = (32, 16, 8)


class _Decoder(nn.Module):
    """Which features are scored; the coarsest after VGG's fc6 and fc7, if asked for."""

    def __init__(
        self,
        encoder: nn.Module,
        strides: Sequence[int],
        channels: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        # VGG's features are what comes before the pooling at the end of a stage. The
        # paper's (pool3, pool4) are what comes after it: the stage before, pooled.
        self._pooled = isinstance(encoder, smp.encoders.vgg.VGGEncoder) or bool(
            getattr(encoder, "_is_vgg_style", False)
        )
        depths = [stride.bit_length() - 1 for stride in strides]
        self._depths = [
            depth - 1 if self._pooled and depth < _DEPTH else depth for depth in depths
        ]
        given = [int(encoder.out_channels[depth]) for depth in self._depths]  # type: ignore[index]  # smp has no types
        self.out_channels = given if channels is None else [channels, *given[1:]]
        self.fully_connected = (
            nn.Identity()
            if channels is None
            else _fully_connected(given[0], channels, dropout)
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Take the features to be scored, coarsest first."""
        coarse, *finer = (features[depth] for depth in self._depths)
        if self._pooled:
            finer = [max_pool2d(feature, 2) for feature in finer]
        return [self.fully_connected(coarse), *finer]


def _fully_connected(taken: int, given: int, dropout: float) -> nn.Sequential:
    """Write fc6 and fc7 as the convolutions that they are."""
    return nn.Sequential(
        nn.Conv2d(taken, given, 7, padding=3),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
        nn.Conv2d(given, given, 1),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
    )


class _Head(nn.Module):
    """Features to scores: all that must not be rounded to half precision."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        classes: int,
        activation: str | None,
    ) -> None:
        super().__init__()
        self.scores = nn.ModuleList(nn.Conv2d(c, classes, 1) for c in channels)
        factors = [coarse // fine for coarse, fine in pairwise((*strides, 1))]
        self.enlarge = nn.ModuleList(_Enlarge(classes, factor) for factor in factors)
        self.activation = smp.base.modules.Activation(activation)

    def begin(self) -> None:
        """Begin with finer scores of zero, so from what the coarser network says."""
        for score in list(self.scores)[1:]:
            for parameter in score.parameters():
                nn.init.zeros_(parameter)

    def forward(self, *features: Tensor) -> Tensor:
        """Score the features, coarsest first, and add them up."""
        total: Tensor | None = None
        for feature, score, enlarge in zip(
            features, self.scores, self.enlarge, strict=True
        ):
            scores = score(feature)
            total = enlarge(scores if total is None else total + scores)
        activated: Tensor = self.activation(total)
        return activated


class _Enlarge(nn.ConvTranspose2d):
    """Each class by itself, learned."""

    def __init__(self, classes: int, factor: int) -> None:
        super().__init__(
            classes,
            classes,
            kernel_size=2 * factor,
            stride=factor,
            padding=factor // 2,
            groups=classes,
            bias=False,
        )

    def reset_parameters(self) -> None:
        """Begin as bilinear interpolation: a pyramid that falls to zero at its rim."""
        side = self.kernel_size[0]
        position = torch.arange(side) + 0.5
        slope = 1 - (position - side / 2).abs() / self.stride[0]
        with torch.no_grad():
            self.weight.copy_(slope[:, None] * slope)
