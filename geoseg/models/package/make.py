"""A package made of bare weights, and what one has to say about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file

from geoseg.errors import ModelError
from geoseg.models.networks.network import (
    build_network,
    check_activation,
    check_stride,
    save_package,
    tile_stride,
    write_json,
)
from geoseg.models.networks.onnx import OnnxNetwork, gives_labels
from geoseg.models.networks.onnx_file import read_whole
from geoseg.models.package.archive import unpack_archive
from geoseg.models.package.card import Artifact, check_card
from geoseg.models.package.files import CARD
from geoseg.models.package.hints import Hints, read_hints
from geoseg.models.package.inputs import NamedInput, flat_bands
from geoseg.models.package.layouts import Tensors, find_tensors
from geoseg.models.package.mlm_write import write_card
from geoseg.models.package.naming import check_name, name_of_folder
from geoseg.models.package.network_config import complete, find_config
from geoseg.models.package.new_card import describe
from geoseg.models.package.new_folder import new_folder
from geoseg.models.package.new_inputs import names_of, read_new_inputs
from geoseg.models.package.onnx_metadata import complete_from_onnx
from geoseg.models.package.package import ModelPackage, read_package, sha256
from geoseg.models.package.pickled import read_content, tensors_in
from geoseg.models.package.trial import (
    activation_of,
    check_probabilities,
    questions,
    try_network,
)
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.storage.authorship import check_names
from geoseg.storage.full_disk import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from geoseg.models.package.card import Card
    from geoseg.options import NewPackage

_ONNX = "model.onnx"
_DECIDED = {
    "sigmoid": (
        "the network has one channel for two classes: it was taken for the score of "
        "the second, before a sigmoid; `activation` says otherwise"
    ),
    "none": (
        "what the network gives lies between 0 and 1 and was taken for probabilities, "
        "as `activation='none'` says; softmax or sigmoid if it is not"
    ),
}
"""What is said where the output decided."""
_LABELS = (
    "the network gives the class of each pixel and no scores: confidence is not known; "
    "export it without ArgMax for maps that have it"
)
_ONNX_STRIDE = 32
"""What sides of an ONNX model's tiles are multiples of where nobody says."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a model takes, as far as no field of `NewPackage` says it."""

    clips: tuple[tuple[float, float] | None, ...] = ()
    """For each band the range to which raw pixels are cut, or None; empty where none
    is."""
    inputs: tuple[NamedInput, ...] = ()
    """The images that it takes, where it takes several: what `NewPackage.inputs`, a
    file, says as well."""


def make_package(
    weights: Path,
    output: Path,
    new: NewPackage,
    *,
    pickled: bool = False,
    pixels: Pixels | None = None,
    on_step: OnStep = ignore_step,
) -> ModelPackage:
    """Make a model package of bare weights, and prove that it can be used.

    Args:
        weights: A safetensors file with the tensors of one of geoseg's networks, an
            ONNX file of any network, or a pickled checkpoint.
        output: The package's folder, which must not exist or be empty.
        new: What the weights do not say.
        pickled: The weights are a checkpoint (``.pt``, ``.pth``); it is read as
            tensors alone.
        pixels: What an item says of the images that it takes.
        on_step: Called when it is made, with warnings of what was chosen, left out,
            or is in doubt.

    Returns:
        The package.

    Raises:
        ModelError: The weights cannot be read, or do not fit what is said of them.
        OutputError: The folder has something in it.

    """
    new = replace(new, name=new.name or name_of_folder(output.absolute().name))
    check_names(output)
    check_name(new.name)
    pixels = pixels or Pixels()
    inputs = read_new_inputs(new.inputs) if new.inputs else pixels.inputs
    if inputs:
        if new.bands:
            raise ModelError("`inputs` say which bands there are; leave out `bands`")
        new = replace(new, bands=names_of(inputs))
    if not weights.is_file():
        raise ModelError(f"{weights} does not exist; check the path of the weights")

    def completed(card: Card) -> Card:
        return _with_inputs(_cut(card, pixels.clips), inputs)

    with (
        needing("the package", lambda: weights.stat().st_size),
        new_folder(output) as folder,
    ):
        if not pickled and weights.suffix == ".onnx":
            notes = _write_onnx(weights, folder, new, completed)
        else:
            held, hints = _read(weights, pickled=pickled)
            notes = _write_network(weights, folder, new, completed, (held, hints))
        read_package(folder)
    on_step(Step("prepare", warnings=notes))
    return read_package(output)


def unpack_package(archive: Path, output: Path) -> ModelPackage:
    """Make a package's folder of an archive with a package in it.

    Args:
        archive: A zip or tar file.
        output: The package's folder, which must not exist or be empty.

    Raises:
        ModelError: The archive cannot be unpacked, has paths that leave the folder,
            or holds no sound package.
        OutputError: The folder has something in it.

    """
    if not archive.is_file():
        raise ModelError(f"{archive} does not exist; check the archive's path")
    with new_folder(output) as folder:
        unpack_archive(archive, folder)
        read_package(folder)
    return read_package(output)


def _with_inputs(card: Card, inputs: tuple[NamedInput, ...]) -> Card:
    """Give a card its inputs, where it has several, and their bands."""
    return replace(card, inputs=inputs, bands=flat_bands(inputs)) if inputs else card


def _write_network(
    weights: Path,
    folder: Path,
    new: NewPackage,
    completed: Callable[[Card], Card],
    content: tuple[Tensors, Hints],
) -> tuple[str, ...]:
    """Write a package of a network of geoseg's; give what was noticed on the way."""
    held, hints = content
    config = find_config(weights, new, held, hints)
    new = complete(new, config, hints, weights)
    network = build_network(config)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    architecture = f"{config['_model_class']} with a {config['encoder_name']} encoder"
    stride = new.stride or tile_stride(network)
    card = completed(describe(new, architecture, parameters, stride))
    check_stride(card, network, weights)
    check_activation(_open(card, new), config, weights)
    found = find_tensors(held, network, weights, new.prefix)
    network.load_state_dict(found.tensors)  # casts float16 to the network's float32
    card, notes = _decide(network.eval(), card, new, weights)
    save_package(folder, network, card, half=False)
    return (*found.notes, *notes)


def _cut(card: Card, clips: Sequence[tuple[float, float] | None]) -> Card:
    """Say of a card's bands to which ranges their raw pixels are cut."""
    if not clips:
        return card
    pairs = zip(card.bands, clips, strict=True)
    return replace(card, bands=tuple(replace(band, clip=clip) for band, clip in pairs))


def _write_onnx(
    weights: Path, folder: Path, new: NewPackage, completed: Callable[[Card], Card]
) -> tuple[str, ...]:
    """Write a package of an ONNX file, whole; give what was noticed on the way."""
    content = read_whole(weights)
    new, found = complete_from_onnx(new, content, weights)
    if new.activation is None and gives_labels(content, str(weights), new.output_name):
        new = replace(new, activation="labels")
        found += (_LABELS,)
    stride = new.stride or _ONNX_STRIDE
    card = completed(describe(new, new.architecture or "ONNX", 0, stride))
    network = OnnxNetwork(content, _open(card, new), str(weights))
    card, notes = _decide(network.eval(), card, new, weights)
    card = replace(card, output_name=network.output)
    (folder / _ONNX).write_bytes(content)
    artifact = Artifact(_ONNX, sha256(folder / _ONNX))
    write_json(folder / CARD, write_card(card, None, artifact))
    return (*found, *notes)


def _open(card: Card, new: NewPackage) -> Card:
    """Leave open what nobody said: of two classes there may be one channel or two."""
    return card if new.activation else replace(card, activation="none")


def _decide(
    network: torch.nn.Module, card: Card, new: NewPackage, weights: Path
) -> tuple[Card, tuple[str, ...]]:
    """Hold what a network gives against what is said, or decide by it what is not."""
    given = try_network(network, _open(card, new), str(weights))
    if new.activation is None:
        card = replace(card, activation=activation_of(given, card))
        check_card(card)
    check_probabilities(given, card)
    notes = tuple(questions(given, card))
    if new.activation is None and card.activation != "softmax":
        notes += (_DECIDED[card.activation],)
    return card, notes


def _read(weights: Path, *, pickled: bool) -> tuple[Tensors, Hints]:
    """Read the tensors of a file, and what it says of them."""
    if not pickled:
        return _read_safetensors(weights), Hints()
    content = read_content(weights)
    return tensors_in(content, weights), read_hints(content)


def _read_safetensors(path: Path) -> Tensors:
    try:
        tensors: Tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is no safetensors file ({error}); a pickled checkpoint is "
            f"converted with `from_checkpoint`"
        ) from error
    return tensors
