"""A model package: weights with the metadata that makes them usable.

A package is a folder, laid out like a repository of the Hugging Face Hub:

* ``mlm.json``: a STAC item with the Machine Learning Model extension that names the
  bands, their scaling, the classes with their colours, tile and overlap, and the
  checksum of the weights;
* ``model.safetensors`` and ``config.json``: the network as
  `segmentation_models_pytorch` writes it; or else an ``.onnx`` file that the item
  names.

Nothing here needs torch: of the weights only the header is read, and their bytes are
summed, so that a plan can be made, and a damaged package refused, before anything is
loaded. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.models.networks.architectures import PIXELWISE, find_architecture
from geoseg.models.package.card import Card
from geoseg.models.package.files import CARD, CONFIG, inside
from geoseg.models.package.mlm_read import read_card
from geoseg.models.package.safetensors_header import tensor_shapes

if TYPE_CHECKING:
    from geoseg.models.package.card import Artifact

_LARGEST = 4_000_000
"""Bytes of a file of JSON that are read: a thousand bands are a third of that."""
_LENGTH = 8
"""Bytes that give a file's size, in the fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage(Card):
    """All that is known of a model without loading its weights."""

    path: Path
    """The package's folder."""
    weights: Path
    """The file with the weights: safetensors, or ONNX."""
    fingerprint: str
    """SHA-256 over the package's files: equal exactly where the model is."""

    is_fitted: bool = False
    """Whether it is fitted to pixels one by one, and weights are not to be rounded."""

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX Runtime computes it, and not torch."""
        return self.weights.suffix == ".onnx"


def read_package(folder: Path) -> ModelPackage:
    """Read and check a model package: the bytes of its weights, but not what they do.

    Args:
        folder: The package's folder.

    Raises:
        ModelError: A file is missing, damaged, or outside the folder; the architecture
            is unknown; the files disagree about classes or bands; tile, overlap and
            stride do not fit together.

    """
    card_file = inside(folder, CARD)
    card, artifact = read_card(read_json(card_file), card_file)
    weights = _find_weights(folder, artifact)
    is_fitted = False
    if weights.suffix == ".onnx":
        files = [weights, card_file]
    else:
        config_file = inside(folder, CONFIG)
        config = read_json(config_file)
        is_fitted = config.get("_model_class") == PIXELWISE.name
        _check_counts(card, config, weights, folder)
        files = [weights, config_file, card_file]
    _check_sum(weights, artifact)
    return ModelPackage(
        **{field.name: getattr(card, field.name) for field in fields(Card)},
        path=folder,
        weights=weights,
        fingerprint=_fingerprint(files),
        is_fitted=is_fitted,
    )


def _find_weights(folder: Path, artifact: Artifact) -> Path:
    suffix = Path(artifact.file).suffix
    if suffix not in {".safetensors", ".onnx"}:
        raise ModelError(
            f"{folder / CARD} names the weights {artifact.file!r}; geoseg loads "
            f".safetensors and .onnx, and nothing that is pickled: convert them with "
            f"geoseg models package `from_checkpoint`"
        )
    return inside(folder, artifact.file)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        ModelError: It does not.

    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        content = json.loads(text) if len(text) <= _LARGEST else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: it is not JSON ({error})") from error
    if len(text) > _LARGEST:
        raise ModelError(
            f"{path} has more than the {_LARGEST:,} bytes that geoseg reads of such a "
            f"file, and far more than any model says of itself; make it anew"
        )
    if not isinstance(content, dict):
        raise ModelError(f"{path} is damaged: it is JSON, but not an object")
    return content


def _check_counts(
    card: Card, config: dict[str, Any], weights: Path, folder: Path
) -> None:
    """Hold the counts of classes and bands in all files against each other."""
    head = tensor_shapes(weights).get(find_architecture(config).classifier, ())
    classes = config.get("classes")
    if classes not in card.outputs or not head or head[0] != classes:
        counts = {
            CARD: card.outputs[0],
            CONFIG: classes,
            weights.name: head[0] if head else None,
        }
        found = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ModelError(
            f"{folder}: the files disagree on the number of classes: {found}"
        )
    if config.get("in_channels") != len(card.bands):
        raise ModelError(
            f"{folder}: the files disagree on the number of bands: {len(card.bands)} "
            f"in {CARD}, {config.get('in_channels')} in {CONFIG}"
        )


def _check_sum(weights: Path, artifact: Artifact) -> None:
    if artifact.sha256 is not None and sha256(weights) != artifact.sha256:
        raise ModelError(
            f"{weights} is damaged: its bytes are not those whose checksum is in "
            f"{CARD}; fetch or make the package again"
        )


def sha256(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(files: list[Path]) -> str:
    """Hash the files, each after its length so that no two packages mix."""
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(len(content).to_bytes(_LENGTH, "little"))
        digest.update(content)
    return digest.hexdigest()
