"""The configuration of a network whose weights are here, and what is still to be said.

What the user says counts first, then a ``config.json``, then what the file says of
itself, and last what names and shapes of tensors show.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.models.networks.architectures import find_architecture
from geoseg.models.package.card import TWO
from geoseg.models.package.files import CONFIG
from geoseg.models.package.infer import infer_config
from geoseg.models.package.package import read_json

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from geoseg.models.package.hints import Hints
    from geoseg.options import NewPackage

Tensors = dict[str, "torch.Tensor"]


def find_config(
    weights: Path, new: NewPackage, held: Tensors, hints: Hints
) -> dict[str, Any]:
    """Find a network's ``config.json``, or work out what would stand in it.

    Args:
        weights: The file of weights.
        new: What the user says.
        held: The tensors in the file.
        hints: What the file says.

    Raises:
        ModelError: Nothing says which network it is, or several fit.

    """
    if new.architecture and new.encoder and new.bands and new.classes:
        return {
            "_model_class": new.architecture,
            "encoder_name": new.encoder,
            "in_channels": len(new.bands),
            "classes": _channels(new, held),
        }
    beside = new.config or weights.with_name(CONFIG)
    if new.config or (beside.is_file() and "_model_class" in read_json(beside)):
        return read_json(beside)
    believed = replace(
        hints,
        architecture=new.architecture or hints.architecture,
        encoder=new.encoder or hints.encoder,
    )
    return infer_config(held, believed, weights, new.prefix)


def complete(
    new: NewPackage, config: dict[str, Any], hints: Hints, weights: Path
) -> NewPackage:
    """Fill in what a file says of its bands and classes, and ask for the rest.

    Raises:
        ModelError: Something is not said; asks for all of it at once.

    """
    bands, channels = config.get("in_channels"), config.get("classes")
    if not new.bands and len(hints.bands) == bands:
        new = replace(new, bands=hints.bands)
    if not new.classes and len(hints.classes) in _class_counts(channels):
        new = replace(new, classes=hints.classes)
    unsaid = []
    if not new.bands:
        unsaid.append(
            f"which its {bands} bands are, in order (`bands`: B02,B03,B04, or 1,2,3 "
            f"for a scene's first three)"
        )
    if not new.classes:
        count = TWO if channels == 1 else channels
        unsaid.append(f"what its {count} classes are (`classes`, {count} names)")
    if not new.gsd_m:
        unsaid.append("how many metres a pixel has (`gsd_m`)")
    if unsaid:
        raise ModelError(
            f"{weights} is a {config.get('_model_class')} with a "
            f"{config.get('encoder_name')} encoder, and does not say "
            f"{'; nor '.join(unsaid)}"
        )
    return new


def _class_counts(channels: object) -> tuple[object, ...]:
    return (TWO,) if channels == 1 else (channels,)


def _channels(new: NewPackage, held: Tensors) -> int:
    """Say how many channels a network has; of two classes, what the weights say."""
    if new.activation == "sigmoid":
        return 1
    head = find_architecture({"_model_class": new.architecture}).classifier
    sides = [len(tensor) for name, tensor in held.items() if name.endswith(head)]
    is_one = new.activation != "softmax" and len(new.classes) == TWO and 1 in sides
    return 1 if is_one else len(new.classes)
