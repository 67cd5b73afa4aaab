"""The header of a safetensors file: each tensor's shape, without reading any tensor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 100_000_000  # bytes, the limit of the safetensors format
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
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
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if not 0 < length <= min(size - _LENGTH, _LONGEST):
                raise ModelError(f"{path} is damaged: it has no safetensors header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        shapes = {
            name: tuple(int(side) for side in entry["shape"])
            for name, entry in header.items()
        }
        end = max(int(entry["data_offsets"][1]) for entry in header.values())
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from error
    except _DAMAGE as error:
        if isinstance(error, ModelError):
            raise
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
