"""Pickled checkpoints, read as tensors and nothing else."""

from __future__ import annotations

import warnings
import zipfile
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NESTED = "/"
"""What stands between the names of dictionaries and those of the tensors in them."""
_NAMED = 3
"""How many names a sentence lists."""
_CODE = "/constants.pkl"
"""What a TorchScript archive holds, and no file of `torch.save`."""


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a ``.pt`` or ``.pth`` file, with ``weights_only=True``.

    That loader builds tensors and plain containers and calls nothing that the file
    names, so a file made to do harm is refused instead of run.

    Args:
        path: The checkpoint: a state dict, or dictionaries with one in them.

    Returns:
        All tensors by name, that of one in a dictionary after the dictionary's:
        ``state_dict/model.encoder.conv.weight``.

    Raises:
        ModelError: The file holds other things than tensors and plain containers, no
            tensors at all, or is no checkpoint.

    """
    return tensors_in(read_content(path), path)


def tensors_in(content: object, path: Path) -> dict[str, torch.Tensor]:
    """Name all tensors of what `read_content` gives.

    Raises:
        ModelError: There are none.

    """
    tensors = dict(_flat(content, ""))
    if not tensors:
        raise ModelError(
            f"{path} holds no state dict: neither tensors by name nor a dictionary of "
            f"them; {_advice(path)}"
        )
    return tensors


def read_content(path: Path) -> object:
    """Read a checkpoint as `read_checkpoint` does: tensors and plain containers.

    Raises:
        ModelError: It holds anything else; the message names it.

    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist; check the path")
    if _is_script(path):
        raise ModelError(
            f"{path} is a TorchScript archive, code with its weights, and is not run; "
            f"{_advice(path)}, or export the model as ONNX (torch.onnx.export)"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on formats older than its own
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, AttributeError, ImportError) as error:
        raise ModelError(
            f"{path} {_unread(path)}, and is not read: {_advice(path)}"
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError, LookupError) as error:
        raise ModelError(
            f"{path} is no checkpoint that torch can read ({_first_line(error)})"
        ) from error
    return content


def _unread(path: Path) -> str:
    """Name what a file would have to be run for; the names alone are read."""
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001  # it reads what no one vouches for
        found = []
    if not found:
        return "holds more than tensors, or is no checkpoint"
    listed = ", ".join(found[:_NAMED]) + ", ..." * (len(found) > _NAMED)
    return f"holds more than tensors, objects that only code can build ({listed})"


def _is_script(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(_CODE) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _advice(path: Path) -> str:
    return (
        f"where it was made, save the weights alone with "
        f"torch.save(model.state_dict(), {path.name!r})"
    )


def _flat(content: object, before: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Name all tensors in dictionaries, however deep (as deep as Python can nest)."""
    if not isinstance(content, dict):
        return
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            yield f"{before}{name}", value
        else:
            yield from _flat(value, f"{before}{name}{NESTED}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
