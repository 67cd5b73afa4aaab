"""Every architecture over an encoder: its size, its stride, how far it looks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from geoseg.errors import ModelError
from geoseg.models.networks.architectures import ARCHITECTURES
from geoseg.models.networks.network import build_network, tile_stride
from geoseg.models.networks.receptive_field import measure_field

if TYPE_CHECKING:
    from torch import nn

    from geoseg.models.networks.architectures import Architecture


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What there is to know of an architecture over an encoder."""

    architecture: Architecture
    """Its line of the table."""
    encoder: str
    """The encoder."""
    refusal: str | None
    """Why it does not take that encoder; None where it does."""
    parameters: int
    """The numbers in its weights; 0 where it does not."""
    stride: int
    """What sides of tiles, and steps between them, are multiples of; 0 likewise."""
    radius: int | None
    """How far an input pixel can change the output, in pixels; None where that is
    everywhere, or is not known."""
    field_is_known: bool
    """Whether `radius` was measured: with the architecture's own light encoder it was,
    with another it is where that is asked for."""


def list_architectures(
    encoder: str | None = None,
    *,
    bands: int = 3,
    classes: int = 2,
    receptive_field: bool = False,
) -> list[Surveyed]:
    """Say of every architecture how large it is and what it needs.

    Args:
        encoder: The encoder to build each on; for each a light one where None.
        bands: Bands that it takes.
        classes: Classes that it gives.
        receptive_field: Measure how far each looks, on the CPU: seconds to half a
            minute for each. Else that is known for the light encoders alone.

    Returns:
        All architectures, those that do not take the encoder among them.

    Raises:
        ModelError: None takes it.

    """
    found = [
        _survey(each, encoder or each.example, bands, classes, measure=receptive_field)
        for each in ARCHITECTURES.values()
    ]
    if all(each.refusal for each in found):
        raise ModelError(f"no architecture takes that encoder: {found[0].refusal}")
    return found


def _survey(
    each: Architecture, encoder: str, bands: int, classes: int, *, measure: bool
) -> Surveyed:
    config = {
        "_model_class": each.name,
        "encoder_name": encoder,
        "in_channels": bands,
        "classes": classes,
        **(dict(each.example_settings) if encoder == each.example else {}),
    }
    try:
        network = _build(config)
    except ModelError as error:
        return Surveyed(each, encoder, str(error), 0, 0, None, field_is_known=False)
    known = encoder == each.example
    radius = each.radius if known else None
    return Surveyed(
        architecture=each,
        encoder=encoder,
        refusal=None,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        stride=tile_stride(network),
        radius=_radius(each, network, bands) if measure else radius,
        field_is_known=measure or known,
    )


def _build(config: dict[str, object]) -> nn.Module:
    with warnings.catch_warnings():  # smp's advice on settings that are not the user's
        warnings.simplefilter("ignore")
        return build_network(config)


def _radius(each: Architecture, network: nn.Module, bands: int) -> int | None:
    stride = max(tile_stride(network), each.smallest_tile // 4)  # planes are 4 wide
    tile = each.smallest_tile
    with torch.inference_mode():
        field = measure_field(network.eval(), bands=bands, stride=stride, tile=tile)
    return field.radius
