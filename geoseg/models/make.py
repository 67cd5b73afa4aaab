"""A package made of bare weights, and what one has to say about them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from geoseg.errors import ModelError, OutputError
from geoseg.models.archive import unpack_archive
from geoseg.models.card import Artifact
from geoseg.models.checkpoint import read_checkpoint
from geoseg.models.locate import CARD, CONFIG
from geoseg.models.network import (
    build_network,
    fill_network,
    save_package,
    tile_stride,
    write_json,
)
from geoseg.models.new import NewPackage, describe
from geoseg.models.package import ModelPackage, load_package, read_json, sha256
from geoseg.models.proof import try_package
from geoseg.models.stac_write import write_card

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

_ONNX_STRIDE = 32
"""What sides of an ONNX model's tiles are multiples of where nobody says."""


def make_package(
    weights: Path, output: Path, new: NewPackage, *, pickled: bool = False
) -> ModelPackage:
    """Make a model package of bare weights, and prove that it can be used.

    Args:
        weights: A safetensors file with the tensors of one of geoseg's networks, an
            ONNX file of any network, or a pickled checkpoint.
        output: The package's folder, which must not exist or be empty.
        new: What the weights do not say.
        pickled: The weights are a checkpoint (``.pt``, ``.pth``); it is read as
            tensors alone.

    Returns:
        The package.

    Raises:
        ModelError: The weights cannot be read, or do not fit what is said of them.
        OutputError: The folder has something in it.

    """
    if not weights.is_file():
        raise ModelError(f"{weights} does not exist; check the path of the weights")
    with _new_folder(output) as folder:
        if not pickled and weights.suffix == ".onnx":
            _write_onnx(weights, folder, new)
        else:
            _write_network(weights, folder, new, pickled=pickled)
        try_package(load_package(folder))
    return load_package(output)


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
    with _new_folder(output) as folder:
        unpack_archive(archive, folder)
        load_package(folder)
    return load_package(output)


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """Give a hidden folder beside the output that becomes it when all went well."""
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise OutputError(f"{output} exists; choose another folder, or remove it first")
    workshop = output.with_name(f".{output.name}.tmp")
    try:
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(parents=True)
        yield workshop
        if output.exists():
            output.rmdir()
        workshop.replace(output)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{output} cannot be written ({error.strerror or error}); choose another "
            f"folder"
        ) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _write_network(
    weights: Path, folder: Path, new: NewPackage, *, pickled: bool
) -> None:
    tensors = read_checkpoint(weights) if pickled else _read_safetensors(weights)
    config = _find_config(weights, new)
    network = build_network(config)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    architecture = f"{config['_model_class']} with a {config['encoder_name']} encoder"
    stride = new.stride or tile_stride(network)
    card = describe(new, architecture, parameters, stride)
    fill_network(network, tensors, weights)
    save_package(folder, network, card, half=False)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is no safetensors file ({error}); a pickled checkpoint is "
            f"converted with --from-checkpoint"
        ) from error
    return tensors


def _find_config(weights: Path, new: NewPackage) -> dict[str, Any]:
    beside = weights.with_name(CONFIG)
    if new.architecture and new.encoder:
        return {
            "_model_class": new.architecture,
            "encoder_name": new.encoder,
            "in_channels": len(new.bands),
            "classes": 1 if new.activation == "sigmoid" else len(new.classes),
        }
    if new.config or beside.is_file():
        return read_json(new.config or beside)
    raise ModelError(
        f"nothing says which network {weights} is for: give --architecture and "
        f"--encoder, or --config with the network's {CONFIG}"
    )


def _write_onnx(weights: Path, folder: Path, new: NewPackage) -> None:
    shutil.copyfile(weights, folder / "model.onnx")
    artifact = Artifact("model.onnx", sha256(folder / "model.onnx"))
    card = describe(new, new.architecture or "ONNX", 0, new.stride or _ONNX_STRIDE)
    write_json(folder / CARD, write_card(card, None, artifact))
