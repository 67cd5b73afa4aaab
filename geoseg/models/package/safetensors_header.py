"""The header of a safetensors file: each tensor's shape, without reading any tensor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.models.package.card import check_count

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 25_000_000  # bytes; the format's own limit is four times that
_MOST = 100_000  # tensors; the largest networks of the field have a few thousand
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
    OverflowError,
)  # what reading a damaged header can raise
_LENGTH = 8  # bytes of a safetensors file that give its header's length


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read each tensor's shape from the header of a safetensors file.

    The header's lengths are checked against the file's size, so a file that was
    cut off, or is something else, is found without reading its weights.

    Raises:
        ModelError: The file is damaged.

    """
    try:
        size, length, header = _read(path)
        header.pop("__metadata__", None)
        check_count("tensors", len(header), _MOST)
        shapes = {
            name: tuple(int(side) for side in entry["shape"])
            for name, entry in header.items()
        }
        end = max(int(entry["data_offsets"][1]) for entry in header.values())
    except ModelError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from error
    except _DAMAGE as error:
        raise ModelError(
            f"{path} is damaged: its safetensors header cannot be read; "
            f"fetch or make the package again"
        ) from error
    if _LENGTH + length + end != size:
        raise ModelError(
            f"{path} is damaged: its header promises {_LENGTH + length + end} bytes, "
            f"the file has {size}; fetch or make the package again"
        )
    return shapes


def _read(path: Path) -> tuple[int, int, dict[str, Any]]:
    """Give the file's size, its header's length in bytes, and the header."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 0 < length <= min(size - _LENGTH, _LONGEST):
            raise ModelError(
                f"it has no safetensors header, or one of more than {_LONGEST:,} bytes"
            )
        header: dict[str, Any] = json.loads(file.read(length))
        return size, length, header
