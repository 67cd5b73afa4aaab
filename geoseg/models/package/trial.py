"""What a network gives for tiles of noise, and what that says of it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from geoseg.errors import ModelError, RunError
from geoseg.models.networks.activations import are_probabilities, to_logits
from geoseg.models.networks.network import load_bare
from geoseg.models.networks.onnx_output import class_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from geoseg.models.package.card import Card
    from geoseg.models.package.package import ModelPackage
    from geoseg.options import Activation

_STRENGTHS = (1.0, 3.0)
"""Deviations of the noise: as normalised pixels have, and beyond."""


def try_network(network: nn.Module, card: Card, name: str) -> Tensor:
    """Put tiles of noise, as normalised pixels are, through a network.

    Args:
        network: Takes tiles ``(tile, band, y, x)``.
        card: What is said of it.
        name: What people call it, for messages.

    Returns:
        What it gives, shape ``(tile, channel, y, x)``.

    Raises:
        ModelError: It does not take them; or gives something else than a score for
            each channel and pixel.

    """
    noise = _noise(card)
    shape = tuple(noise.shape)
    try:
        with torch.inference_mode():
            given = torch.cat([network(noise * strength) for strength in _STRENGTHS])
    except ModelError:
        raise
    except RunError as error:
        raise ModelError(str(error)) from error
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{name} does not take a tile of shape {shape[1:]} ({error})"
        ) from error
    is_shaped = given.shape[1] in card.outputs and given.shape[2:] == shape[2:]
    if not is_shaped or not given.isfinite().all():
        raise ModelError(
            f"{name} must give numbers of shape {(card.outputs[0], *shape[2:])} for a "
            f"tile, and gives shape {tuple(given.shape[1:])}, of which "
            f"{float(given.isfinite().float().mean()):.0%} are numbers"
        )
    is_whole = _varies(given) and bool((given == given.round()).all())
    if card.gives_scores and is_whole:
        raise ModelError(f"{name} {class_ids('nothing but whole numbers')}")
    return given


@cache
def output_doubts(package: ModelPackage) -> tuple[str, ...]:
    """Say what of a model's output hardly goes with its activation, before it is used.

    Only ONNX graphs are tried, by a tile of noise, once a process: networks of geoseg's
    own end in scores, and a squashed output of theirs is refused as they are loaded.
    """
    if not package.is_onnx:
        return ()
    if not package.gives_scores:
        doubt = (
            f"the model {package.name} gives classes and no scores: tiles vote where "
            f"they overlap, confidence is not known, and there is no confidence.tif"
        )
        return (doubt,)
    with torch.inference_mode():
        given = load_bare(package)(_noise(package))
    if not given.isfinite().all():  # real pixels may be another matter
        return ()
    return tuple(
        f"the model {package.name}: {each}" for each in questions(given, package)
    )


def activation_of(given: Tensor, card: Card) -> Activation:
    """Infer from what a network gave what makes probabilities of it."""
    if _varies(given) and are_probabilities(given):
        return "none"
    return "sigmoid" if given.shape[1] < len(card.legend) else "softmax"


def check_probabilities(given: Tensor, card: Card) -> None:
    """Refuse what is said to be probabilities, and is not.

    Raises:
        ModelError: It is not.

    """
    try:
        to_logits(given, card)
    except RunError as error:
        raise ModelError(str(error)) from error


def questions(given: Tensor, card: Card) -> Iterator[str]:
    """Say what of a network's output hardly goes with its activation."""
    if card.activation in {"none", "labels"} or not _varies(given):
        return
    if are_probabilities(given):
        what = (
            "its sum over the classes is 1" if given.shape[1] > 1 else "it is one score"
        )
        yield (
            f"what the network gives lies between 0 and 1 already, and {what}: it is "
            f"more likely probabilities, `activation='none'`, than scores before a "
            f"{card.activation}, which would change classes or confidences"
        )
    elif given.min() >= 0 and given.max() <= 1:
        yield (
            f"what the network gives lies between 0 and 1 in each of its "
            f"{given.shape[1]} channels, as after a sigmoid: the {card.activation} "
            f"over that makes confidences too even; export it without the sigmoid"
        )


def _noise(card: Card) -> Tensor:
    """Make a tile as normalised pixels are, the same each time."""
    shape = (1, len(card.bands), card.tile, card.tile)
    return torch.randn(shape, generator=torch.Generator())


def _varies(given: Tensor) -> bool:
    """Whether there is anything to judge by: some networks give one value alone."""
    return bool(given.max() > given.min())
