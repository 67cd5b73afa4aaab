"""A model package: weights with the metadata that makes them usable.

A package is a folder of three files:

* ``model.safetensors`` and ``config.json``: the network as
  `segmentation_models_pytorch` writes it;
* ``mlm.json``: a STAC item with the Machine Learning Model extension that names the
  bands, their scaling, the classes with their colours, tile and overlap.

Nothing here needs torch: of the weights only the header is read, so that a plan can
be made, and a damaged package refused, in milliseconds. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.models.architectures import find_architecture
from geoseg.models.card import InputBand, read_card

if TYPE_CHECKING:
    from geoseg.classes import Legend

__all__ = [
    "InputBand",
    "ModelPackage",
    "known_models",
    "load_package",
    "tensor_shapes",
]

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "mlm.json"
_SHIPPED = {"sentinel2-landcover": Path(__file__).parent / "shipped"}
_LONGEST_HEADER = 100_000_000  # bytes, the limit of the safetensors format
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
)  # what reading a damaged header can raise
_LENGTH = 8  # bytes of a safetensors file that give its header's length


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """All that is known of a model without loading its weights."""

    name: str
    """The model's name."""
    version: str
    """The version of these weights."""
    path: Path
    """The package's folder."""
    bands: tuple[InputBand, ...]
    """The bands the network takes, in its order."""
    scale: float
    """What raw pixels are multiplied with before means are taken off."""
    dtype: str
    """The numpy dtype of the raw pixels it was trained on."""
    legend: Legend
    """The classes, in the order of the network's output channels."""
    tile: int
    """Side of what the network sees in one piece, in pixels."""
    overlap: int
    """Pixels that neighbouring tiles share by default."""
    stride: int
    """Tiles, and tiles less their overlap, are multiples of this."""
    gsd_m: float
    """The ground sample distance it was trained on, in metres."""
    fingerprint: str
    """SHA-256 over the three files: equal exactly where the model is."""


def known_models() -> tuple[str, ...]:
    """Name the models that ship with geoseg."""
    return tuple(_SHIPPED)


def load_package(name_or_path: str | Path) -> ModelPackage:
    """Read and check a model package, its weights' header included.

    Args:
        name_or_path: The name of a model that ships, or the folder of a package.

    Raises:
        ModelError: No such model; a file is missing or damaged; the architecture is
            unknown; the files disagree about classes or bands; tile, overlap and
            stride do not fit together.

    """
    path = _locate(name_or_path)
    config = _read_json(path / CONFIG)
    card = read_card(_read_json(path / CARD), path / CARD)
    shapes = tensor_shapes(path / WEIGHTS)
    _check_counts(path, config, shapes, len(card.bands), len(card.legend))
    _check_lattice(path, card.tile, card.overlap, card.stride)
    return ModelPackage(
        name=card.name,
        version=card.version,
        path=path,
        bands=card.bands,
        scale=card.scale,
        dtype=card.dtype,
        legend=card.legend,
        tile=card.tile,
        overlap=card.overlap,
        stride=card.stride,
        gsd_m=card.gsd_m,
        fingerprint=_fingerprint(path),
    )


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
            if not 0 < length <= min(size - _LENGTH, _LONGEST_HEADER):
                raise ModelError(f"{path} is damaged: it has no safetensors header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        shapes = {
            name: tuple(int(side) for side in entry["shape"])
            for name, entry in header.items()
        }
        end = max(int(entry["data_offsets"][1]) for entry in header.values())
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); "
            f"a model package needs {WEIGHTS}, {CONFIG} and {CARD}"
        ) from error
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


def _locate(name_or_path: str | Path) -> Path:
    path = _SHIPPED.get(str(name_or_path), Path(name_or_path))
    if path.is_dir():
        return path
    raise ModelError(
        f"no model is called {str(name_or_path)!r}, and there is no such folder; "
        f"known models: {', '.join(known_models())}"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} is missing; a model package needs {WEIGHTS}, {CONFIG} and {CARD}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it is JSON, but not an object")
    return content


def _check_counts(
    path: Path,
    config: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    bands: int,
    classes: int,
) -> None:
    head = shapes.get(find_architecture(config).classifier, ())
    counts = {
        CARD: classes,
        CONFIG: config.get("classes"),
        WEIGHTS: head[0] if head else None,
    }
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ModelError(
            f"{path}: the files disagree on the number of classes: {found}"
        )
    if config.get("in_channels") != bands:
        raise ModelError(
            f"{path}: the files disagree on the number of bands: {bands} in {CARD}, "
            f"{config.get('in_channels')} in {CONFIG}"
        )


def _check_lattice(path: Path, tile: int, overlap: int, stride: int) -> None:
    legal = (
        stride > 0
        and tile > 0
        and 0 <= overlap <= tile // 2
        and overlap % 2 == 0
        and tile % stride == 0
        and (tile - overlap) % stride == 0
    )
    if not legal:
        raise ModelError(
            f"{path / CARD}: tile {tile}, overlap {overlap} and stride {stride} do not "
            f"fit: tile and tile less overlap are multiples of the stride, the overlap "
            f"is even and at most half a tile"
        )


def _fingerprint(path: Path) -> str:
    """Hash the three files, each after its length so that no two packages mix."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, CONFIG, CARD):
        content = (path / name).read_bytes()
        digest.update(len(content).to_bytes(_LENGTH, "little"))
        digest.update(content)
    return digest.hexdigest()
