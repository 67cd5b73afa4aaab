"""Pickled checkpoints, read as tensors and nothing else."""

from __future__ import annotations

import warnings
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_NESTS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Where training scripts and frameworks keep the weights among other things."""
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What wrappers put before the names of tensors."""


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a ``.pt`` or ``.pth`` file, with ``weights_only=True``.

    That loader builds tensors and plain containers and calls nothing that the file
    names, so a file made to do harm is refused instead of run.

    Args:
        path: The checkpoint: a state dict, or a dictionary with one in it.

    Returns:
        Tensors by name, without the names of wrappers before them.

    Raises:
        ModelError: The file holds other things than tensors and plain containers, no
            weights at all, or is no checkpoint.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on formats older than its own
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{path} does not exist; check the path") from error
    except (UnpicklingError, AttributeError, ImportError) as error:
        raise ModelError(
            f"{path} holds more than tensors, or is no checkpoint, and is not read: "
            f"where it was made, save the weights alone with "
            f"torch.save(model.state_dict(), {path.name!r})"
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError, LookupError) as error:
        raise ModelError(
            f"{path} is no checkpoint that torch can read ({_first_line(error)})"
        ) from error
    return _without_prefix(_find_tensors(content, path))


def _find_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    if isinstance(content, dict):
        tensors = {
            str(name): value
            for name, value in content.items()
            if isinstance(value, torch.Tensor)
        }
        if tensors and len(tensors) == len(content):
            return tensors
        for name in _NESTS:
            if isinstance(content.get(name), dict):
                return _find_tensors(content[name], path)
    raise ModelError(
        f"{path} holds no state dict: neither tensors by name nor a dictionary of them "
        f"under {', '.join(_NESTS)}"
    )


def _without_prefix(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return _without_prefix(
                {name.removeprefix(prefix): value for name, value in tensors.items()}
            )
    return tensors


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
