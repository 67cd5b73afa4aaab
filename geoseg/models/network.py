"""The networks of model packages: built from their configuration, loaded, saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import segmentation_models_pytorch as smp
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from geoseg.errors import ModelError
from geoseg.models.card import write_card
from geoseg.models.package import CARD, CONFIG, WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from geoseg.models.card import Card, Training
    from geoseg.models.package import ModelPackage

ARCHITECTURES = {
    network.__name__: network
    for network in (
        smp.DeepLabV3Plus,
        smp.FPN,
        smp.Linknet,
        smp.MAnet,
        smp.PAN,
        smp.Segformer,
        smp.Unet,
        smp.UnetPlusPlus,
        smp.UPerNet,
    )
}
"""The networks that a package may name, by what its configuration calls them."""


def build_network(config: dict[str, Any]) -> torch.nn.Module:
    """Build an untrained network from the content of a ``config.json``.

    No weights are fetched from anywhere: the encoder begins at random.

    Raises:
        ModelError: The architecture is unknown, or does not take these settings.

    """
    settings = {key: value for key, value in config.items() if not key.startswith("_")}
    settings["encoder_weights"] = None
    name = config.get("_model_class")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ModelError(
            f"the network is a {name!r}; geoseg loads {', '.join(ARCHITECTURES)}"
        )
    if ":" in str(settings.get("encoder_name")):
        raise ModelError(
            f"the encoder {settings['encoder_name']!r} would be fetched from a hub; "
            f"geoseg builds encoders that are installed, without network access"
        )
    if settings.get("activation") is not None:
        raise ModelError(
            f"{CONFIG} gives the network the activation {settings['activation']!r}; "
            f"geoseg takes plain scores, without one"
        )
    try:
        network: torch.nn.Module = ARCHITECTURES[name](**settings)
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"segmentation_models_pytorch cannot build the {name} that {CONFIG} "
            f"describes ({error})"
        ) from error
    return network


def load_network(package: ModelPackage) -> torch.nn.Module:
    """Load a package's network, ready to predict.

    Returns:
        A module in eval mode, float32, on the CPU. It takes normalised pixels,
        shape ``(tile, band, y, x)``, and gives logits, ``(tile, class, y, x)``.

    Raises:
        ModelError: The weights cannot be read, or do not fit the configuration
            tensor by tensor.

    """
    config = json.loads((package.path / CONFIG).read_text(encoding="utf-8"))
    network = build_network(config)
    path = package.path / WEIGHTS
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read ({error})") from error
    wanted = network.state_dict()
    misfits = sorted(
        name
        for name in wanted.keys() | weights.keys()
        if name not in wanted
        or name not in weights
        or wanted[name].shape != weights[name].shape
    )
    if misfits:
        raise ModelError(
            f"{path} does not fit {CONFIG}: {len(misfits)} tensors are missing, "
            f"unexpected or of another shape, the first is {misfits[0]}"
        )
    network.load_state_dict(weights)  # casts float16 to the network's float32
    return network.eval()


def save_package(
    path: Path, network: torch.nn.Module, card: Card, training: Training
) -> None:
    """Write a model package: weights as float16, configuration and metadata.

    Args:
        path: The package's folder; made if missing, files in it are replaced.
        network: One of `ARCHITECTURES`, as smp makes it.
        card: What the package says of the model.
        training: Where and when it was trained.

    """
    path.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(halves, path / WEIGHTS, metadata={"format": "pt"})
    _write_json(path / CONFIG, describe_network(network))
    _write_json(path / CARD, write_card(card, training))


def describe_network(network: torch.nn.Module) -> dict[str, Any]:
    """Give the ``config.json`` from which `build_network` makes such a network."""
    # smp keeps the arguments a network was made with, and writes them this way.
    settings = cast("dict[str, Any]", network.config)
    config = {**settings, "encoder_weights": None}
    config["_model_class"] = type(network).__name__
    return dict(sorted(config.items()))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
