"""Proof that a package can be used: its network is loaded, and tried on a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.models.find import load_package
from geoseg.models.networks.network import load_bare
from geoseg.models.package.files import CARD
from geoseg.models.package.mlm_read import read_card
from geoseg.models.package.package import ModelPackage, read_json
from geoseg.models.package.trial import check_probabilities, questions, try_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found of a model that can be used."""

    package: ModelPackage
    """The model."""
    doubts: tuple[str, ...]
    """What its card leaves out that a user may want, and what of its network's output
    hardly goes with it, a sentence each."""


def validate_model(model: Path | str) -> Validation:
    """Check all of a package: files, checksum, tables, and its network on a tile.

    Args:
        model: The name of a model that ships, the folder of a package, or
            ``hf://owner/name``.

    Raises:
        ModelError: It cannot be used; says why.

    """
    package = load_package(model)
    given = try_network(load_bare(package), package, package.name)
    check_probabilities(given, package)
    return Validation(package, (*questions(given, package), *_doubts(package)))


def _doubts(package: ModelPackage) -> Iterator[str]:
    card_file = package.path / CARD
    _, artifact = read_card(read_json(card_file), card_file)
    if artifact.sha256 is None:
        yield (
            f"{CARD} has no file:checksum of the weights, so damage to them can go "
            f"unnoticed"
        )
    if package.license == "other":
        yield f"{CARD} does not state the licence of the weights (license)"
    if not package.trained_on:
        yield f"{CARD} does not say what the model was trained on (geoseg:trained_on)"
    if not package.metrics:
        yield f"{CARD} does not say how well the model did (geoseg:metrics)"
    if any(band.minimum is None or band.maximum is None for band in package.bands):
        yield (
            f"{CARD} does not say which values the bands had (statistics), so scenes "
            f"are held against mean and deviation alone"
        )
