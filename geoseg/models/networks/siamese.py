"""A network of two dates that gives what changed between them: FC-Siam-diff.

Daudt, Le Saux and Boulch: Fully Convolutional Siamese Networks for Change Detection,
ICIP 2018, https://arxiv.org/abs/1810.08462. One encoder sees each date; a U-Net's
decoder begins with the coarsest features of the second date, and what it is shown of
finer ones on the way is how far the two dates differ: the absolute difference of their
features, so that what is the same on both dates is nothing.

::

    before - encoder - features 1/2 ... 1/16 -.
              (shared)                        |a - b| - decoder - scores
    after  - encoder - features 1/2 ... 1/16 -'            |
                     '- features 1/32 ---------------------'

The paper's own encoder is four blocks of convolutions; here it is any of smp's, so that
it can begin with what it learned from photographs or satellites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from geoseg.models.networks.lean_import import smp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_DEPTH = 5
"""Halvings of the side in an encoder: the coarsest features are at 1/32."""


class FCSiamDiff(smp.base.SegmentationModel):  # type: ignore[misc]  # smp has no types
    """Two dates through one encoder, and a decoder of what differs."""

    dates: ClassVar[int] = 2
    """Into how many parts its bands are cut, each for the encoder."""

    @smp.base.hub_mixin.supports_config_loading  # type: ignore[untyped-decorator]  # the same
    def __init__(  # noqa: PLR0913, PLR0917  # the arguments that smp's networks take
        self,
        encoder_name: str = "resnet18",
        encoder_depth: int = _DEPTH,
        encoder_weights: str | None = "imagenet",
        decoder_channels: Sequence[int] = (256, 128, 64, 32, 16),
        in_channels: int = 6,
        classes: int = 1,
        activation: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # what an encoder of timm takes
    ) -> None:
        """Make the network.

        Args:
            encoder_name: Any encoder of smp with features at half the side.
            encoder_depth: The encoder's stages.
            encoder_weights: What the encoder has learned from; None to begin at random.
            decoder_channels: Channels of the decoder's blocks, one for each stage.
            in_channels: Bands of both dates together, the first date's first.
            classes: Classes.
            activation: What follows the scores; None for plain scores.
            **kwargs: Settings of an encoder of timm.

        Raises:
            ValueError: The dates cannot have the same number of bands.

        """
        super().__init__()
        if in_channels % self.dates:
            raise ValueError(
                f"two dates of the same bands are an even number of bands, got "
                f"{in_channels}"
            )
        self.encoder = smp.encoders.get_encoder(
            encoder_name,
            in_channels=in_channels // self.dates,
            depth=encoder_depth,
            weights=encoder_weights,
            **kwargs,
        )
        self.decoder = smp.decoders.unet.decoder.UnetDecoder(
            encoder_channels=self.encoder.out_channels,
            decoder_channels=decoder_channels,
            n_blocks=encoder_depth,
            add_center_block=encoder_name.startswith("vgg"),
        )
        self.segmentation_head = smp.base.SegmentationHead(
            in_channels=decoder_channels[-1],
            out_channels=classes,
            activation=activation,
            kernel_size=3,
        )
        self.classification_head = None
        self.name = f"fc-siam-diff-{encoder_name}"
        self.initialize()

    def forward(self, tiles: Tensor) -> Tensor:
        """Score tiles.

        Args:
            tiles: Normalised pixels, ``(tile, band, y, x)``, sides multiples of 32; the
                first half of the bands is the first date's.

        Returns:
            Scores, ``(tile, class, y, x)``.

        """
        if not torch.compiler.is_compiling():
            self.check_input_shape(tiles)
        # In one batch, so that both dates are normalised by the same statistics.
        both = self.encoder(torch.cat(tiles.chunk(self.dates, dim=1)))
        pairs = [features.chunk(self.dates) for features in both]
        differences = [(before - after).abs() for before, after in pairs[:-1]]
        decoded = self.decoder([*differences, pairs[-1][1]])
        scores: Tensor = self.segmentation_head(decoded)
        return scores
