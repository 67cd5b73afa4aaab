"""What there is to know of a model's network, and how far it looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.models.find import load_package
from geoseg.models.networks.receptive_field import ReceptiveField, package_field
from geoseg.models.package.files import CONFIG
from geoseg.models.package.package import read_json
from geoseg.models.package.safetensors_header import tensor_shapes

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.models.package.package import ModelPackage


@dataclass(frozen=True, slots=True)
class Inspection:
    """What there is to know of a model's network."""

    name: str
    """The model's name."""
    network: str
    """The architecture and its encoder."""
    parameters: int
    """The numbers in its weights."""
    tile: int
    """Side of a tile in pixels."""
    overlap: int
    """Pixels that neighbouring tiles share by default."""
    stride: int
    """Tiles, and tiles less their overlap, are multiples of this."""
    receptive_field: ReceptiveField | None
    """What was measured; None where that was not asked for."""


def inspect_model(model: Path | str, *, receptive_field: bool = False) -> Inspection:
    """Return how a model's network is built, and how far it looks.

    Args:
        model: The name of a model that ships, or the directory of a package.
        receptive_field: Measure the field, on the CPU in float32: seconds to a
            minute, by the network's size.

    Raises:
        ModelError: There is no such model, it is damaged, or its network takes no
            planes but those of one size.

    """
    package = load_package(model)
    network, parameters = _built(package)
    return Inspection(
        name=package.name,
        network=network,
        parameters=parameters,
        tile=package.tile,
        overlap=package.overlap,
        stride=package.stride,
        receptive_field=package_field(package) if receptive_field else None,
    )


def _built(package: ModelPackage) -> tuple[str, int]:
    """Name the network, and count its parameters; 0 where its file does not say."""
    if package.is_onnx:
        return f"{package.architecture} in {package.weights.name}", package.parameters
    config = read_json(package.path / CONFIG)
    shapes = tensor_shapes(package.weights)
    parts = config.get("_model_class"), config.get("encoder_name")
    network = ", ".join(str(part) for part in parts if part)
    return network, sum(math.prod(shape) for shape in shapes.values())
