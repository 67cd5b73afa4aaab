"""Which network tensors are of: inferred from their names and shapes.

Networks of smp are an encoder, a decoder and a head, each with names of its own. So an
encoder is found among all by what fits, then an architecture over it, and with them
the number of bands and classes. Nothing is guessed: what fits twice is asked for.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch
from segmentation_models_pytorch.encoders import encoders as smp_encoders

from geoseg.errors import ModelError
from geoseg.models.networks.architectures import ARCHITECTURES, find_architecture
from geoseg.models.networks.network import build_network
from geoseg.models.package.layouts import some, without_wrappers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geoseg.models.package.hints import Hints

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

_PARTS = ("encoder.", "segmentation_head.")
"""What every network has; a plain FCN has a decoder without tensors."""
_PART = re.compile(r"(?:^|\.)(encoder\.|decoder\.|segmentation_head\.)")
_COUNTER = "num_batches_tracked"
_SCSE = {"decoder_attention_type": "scse"}
_VARIANTS: dict[str, dict[str, Any]] = {"Unet": _SCSE, "UnetPlusPlus": _SCSE}
"""Settings that change which tensors a decoder has, and are tried, too."""
_SLOW = "mit_b", "patch_embed1"
"""How encoders begin that are slow to build, and what only their tensors are called."""
_REFUSED = (ModelError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What building a network that does not go with an encoder raises."""


def infer_config(
    held: dict[str, torch.Tensor],
    hints: Hints,
    path: Path,
    prefix: str | None = None,
) -> dict[str, Any]:
    """Return the ``config.json`` of the network that tensors are of.

    Args:
        held: All tensors of a file, by its names.
        hints: What the file says, or its user: an architecture or an encoder that is
            named there is believed.
        path: The file, for messages.
        prefix: What stands before the names that are meant; where None, the first that
            has an encoder and a head.

    Raises:
        ModelError: The tensors are of no network of smp's, or fit several.

    """
    shapes = _network_shapes(held, path, prefix)
    named = hints.encoder
    candidates = [named] if named else _candidates(shapes)
    for encoder in candidates:
        bands = _bands_of(encoder, shapes)
        if bands:
            tried = list(_tried(encoder, bands, hints.architecture, shapes))
            return _only(tried, shapes, hints, str(path), encoder)
    known = "which none of smp's has"
    if named:
        differ = _differences(_encoder_of(named), _part(shapes, "encoder."))
        known = f"which are not those of {named}: {differ}"
    raise ModelError(
        f"{path} holds an encoder of {_count(shapes, 'encoder.')} tensors, {known}; "
        f"give `architecture` and `encoder` (one of timm's is tu-NAME), or `config` "
        f"with the network's settings"
    )


def _candidates(shapes: Shapes) -> list[str]:
    prefix, tensor = _SLOW
    are_slow = any(tensor in name for name in shapes)
    return [name for name in smp_encoders if name.startswith(prefix) == are_slow]


def _only(
    tried: list[tuple[dict[str, Any], Shapes]],
    shapes: Shapes,
    hints: Hints,
    path: str,
    encoder: str,
) -> dict[str, Any]:
    """Give the configuration of the one architecture whose tensors these are."""
    found: dict[str, dict[str, Any]] = {}
    for config, built in tried:
        if built == shapes:
            found.setdefault(config["_model_class"], config)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise ModelError(
            f"{path} fits several networks with the encoder {encoder}: "
            f"{', '.join(found)}; say which with `architecture` and `encoder`"
        )
    known = hints.architecture or "no architecture that geoseg has"
    nearest = min(
        tried, key=lambda each: len(each[1].items() ^ shapes.items()), default=None
    )
    differ = ""
    if nearest is not None:
        config, built = nearest
        differ = f" (nearest: {config['_model_class']}, {_differences(built, shapes)})"
    raise ModelError(
        f"{path} has the tensors of the encoder {encoder}, but those of its "
        f"decoder fit {known} with its usual settings{differ}; give `config` with the "
        f"settings"
    )


def _differences(wanted: Shapes, found: Shapes) -> str:
    """Say how many tensors are missing, of another shape or left over, and some."""
    missing = [name for name in wanted if name not in found]
    other = [n for n, shape in wanted.items() if found.get(n, shape) != shape]
    more = [name for name in found if name not in wanted]
    counted = (("missing", missing), ("of another shape", other), ("left over", more))
    return ", ".join(
        f"{len(names)} {what} ({some(names)})" for what, names in counted if names
    )


def _network_shapes(
    held: dict[str, torch.Tensor], path: Path, prefix: str | None
) -> Shapes:
    """Give the shapes of the tensors after the likeliest prefix."""
    groups: dict[str, Shapes] = defaultdict(dict)
    for name, tensor in held.items():
        plain = without_wrappers(name)
        part = _PART.search(plain)
        if part is not None and not plain.endswith(_COUNTER):
            before, rest = plain[: part.start(1)], plain[part.start(1) :]
            groups[before.strip(".")][rest] = tuple(tensor.shape)
    whole = [
        shapes
        for before, shapes in groups.items()
        if all(_count(shapes, part) for part in _PARTS) and prefix in {None, before}
    ]
    if not whole:
        some = ", ".join(list(held)[:3])
        raise ModelError(
            f"{path} holds {len(held)} tensors ({some}, ...), and none of an "
            f"encoder and a segmentation_head, as networks of smp have; geoseg imports "
            f"those, and others as ONNX (torch.onnx.export)"
        )
    return whole[0]


def _count(shapes: Shapes, part: str) -> int:
    return sum(name.startswith(part) for name in shapes)


def _bands_of(encoder: str, shapes: Shapes) -> int | None:
    """Return how many bands an encoder takes, if the tensors are its; else None."""
    part, mine = _part(shapes, "encoder."), _encoder_of(encoder)
    if not mine or part.keys() != mine.keys():
        return None
    differ = [name for name, shape in mine.items() if shape != part[name]]
    if not differ:
        return 3
    pairs = [(mine[name], part[name]) for name in differ]
    first, *others = {
        new[1] for old, new in pairs if len(new) > 1 and _widened(old, new)
    }
    return first if not others and all(_widened(*pair) for pair in pairs) else None


def _widened(old: Shape, new: Shape) -> bool:
    """Whether only the second side differs, the bands of a convolution."""
    return len(old) == len(new) and old[:1] + old[2:] == new[:1] + new[2:]


def _tried(
    encoder: str, bands: int, architecture: str, shapes: Shapes
) -> Iterator[tuple[dict[str, Any], Shapes]]:
    """Give networks that may be the one, by their configuration, and their tensors."""
    for name in [architecture] if architecture else ARCHITECTURES:
        classifier = find_architecture({"_model_class": name}).classifier
        classes = shapes.get(classifier, (0,))[0]
        tried = ({}, _VARIANTS[name]) if name in _VARIANTS else ({},)
        for settings in tried if classes else ():
            config = _config(name, encoder, bands, classes, settings)
            yield config, _built(name, encoder, bands, classes, settings)


def _encoder_of(encoder: str) -> Shapes:
    """Give the shapes of an encoder's tensors, for three bands."""
    built = _built("FPN", encoder, 3, 1) or _built("Unet", encoder, 3, 1)
    return _part(built, "encoder.")


def _part(shapes: Shapes, prefix: str) -> Shapes:
    return {name: s for name, s in shapes.items() if name.startswith(prefix)}


def _config(
    name: str, encoder: str, bands: int, classes: int, settings: dict[str, Any]
) -> dict[str, Any]:
    return {
        "_model_class": name,
        "encoder_name": encoder,
        "in_channels": bands,
        "classes": classes,
        **settings,
    }


def _built(  # the five things that make a network
    name: str,
    encoder: str,
    bands: int,
    classes: int,
    settings: dict[str, Any] | None = None,
) -> Shapes:
    """Give the shapes of a network's tensors, without room for them where that goes."""
    config = _config(name, encoder, bands, classes, settings or {})
    for device in ("meta", "cpu"):  # some encoders read a tensor as they are built
        try:
            with warnings.catch_warnings(), torch.device(device):
                warnings.simplefilter("ignore")  # smp's advice on settings
                network = build_network(config)
        except _REFUSED:
            continue
        return {
            each: tuple(tensor.shape)
            for each, tensor in network.state_dict().items()
            if not each.endswith(_COUNTER)
        }
    return {}
