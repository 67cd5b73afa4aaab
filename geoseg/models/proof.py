"""Proof that a package can be used: its network is loaded, and tried on a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from geoseg.errors import ModelError, RunError
from geoseg.models.locate import CARD
from geoseg.models.network import load_network
from geoseg.models.package import ModelPackage, load_package, read_json
from geoseg.models.stac_read import read_card

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found of a model that can be used."""

    package: ModelPackage
    """The model."""
    doubts: tuple[str, ...]
    """What its card leaves out that a user may want, a sentence each."""


def validate_model(model: Path | str) -> Validation:
    """Check all of a package: files, checksum, tables, and its network on a tile.

    Args:
        model: The name of a model that ships, the folder of a package, or
            ``hf://owner/name``.

    Raises:
        ModelError: It cannot be used; says why.

    """
    package = load_package(model)
    try_package(package)
    return Validation(package, tuple(_doubts(package)))


def _doubts(package: ModelPackage) -> Iterator[str]:
    card_file = package.path / CARD
    _, artifact = read_card(read_json(card_file), card_file)
    if artifact.sha256 is None:
        yield (
            f"{CARD} has no file:checksum of the weights, so damage to them can go "
            f"unnoticed"
        )
    if not package.trained_on:
        yield f"{CARD} does not say what the model was trained on (geoseg:trained_on)"
    if not package.metrics:
        yield f"{CARD} does not say how well the model did (geoseg:metrics)"
    if any(band.minimum is None or band.maximum is None for band in package.bands):
        yield (
            f"{CARD} does not say which values the bands had (statistics), so scenes "
            f"are held against mean and deviation alone"
        )


def try_package(package: ModelPackage) -> None:
    """Put a tile of noise, as normalised pixels are, through a package's network.

    Raises:
        ModelError: It cannot be loaded, or gives something else than a number for
            each class and pixel.

    """
    network = load_network(package)
    shape = (1, len(package.bands), package.tile, package.tile)
    expected = (1, len(package.legend), package.tile, package.tile)
    try:
        with torch.inference_mode():
            given = network(torch.randn(shape, generator=torch.Generator()))
    except RunError as error:
        raise ModelError(str(error)) from error
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{package.name} does not take a tile of shape {shape[1:]} ({error})"
        ) from error
    if tuple(given.shape) != expected or not given.isfinite().all():
        raise ModelError(
            f"{package.name} must give numbers of shape {expected[1:]} for a tile, and "
            f"gives shape {tuple(given.shape[1:])}, of which "
            f"{float(given.isfinite().float().mean()):.0%} are numbers"
        )
