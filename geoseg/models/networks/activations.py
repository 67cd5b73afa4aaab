"""What a network gives, brought to one form: a logit for each class of the legend.

So that whatever uses a network need not know how it was trained: a softmax over the
logits is the probability of each class, in the order of the legend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from geoseg.errors import RunError

if TYPE_CHECKING:
    from geoseg.models.package.card import Card

_SLACK = 0.01
"""How far probabilities of a pixel may be from summing to 1."""
_ROUNDED = 1e-3
"""How far rounding, in half precision, may bring one above 1."""


def give_logits(network: nn.Module, card: Card) -> nn.Module:
    """Make a network give logits, a channel a class in the legend's order.

    The network stays as it is; what it gives is changed on the way out.

    Args:
        network: Gives what the card's activation says.
        card: Activation, classes and the channel of each.

    """

    def change(_: nn.Module, __: Any, output: Tensor) -> Tensor:  # noqa: ANN401  # what a hook is given
        return to_logits(output, card)

    if card.activation != "softmax" or card.channels or card.temperature != 1:
        network.register_forward_hook(change)
    return network


def to_logits(output: Tensor, card: Card) -> Tensor:
    """Turn a network's output into logits.

    Args:
        output: Shape ``(tile, channel, y, x)``.
        card: Activation, temperature, classes and the channel of each.

    Returns:
        Shape ``(tile, class, y, x)``: the softmax of it is the probabilities. Of a
        sigmoid the classes are 0 and the score, whose softmax it is.

    Raises:
        RunError: The activation is "none", and the output no probabilities.

    """
    if card.activation in {"none", "labels"}:
        output = _log(output.float())
    elif card.activation == "sigmoid":
        output = torch.cat((torch.zeros_like(output), output), dim=1)
    if card.temperature != 1:
        output = output / card.temperature
    return output[:, list(card.channels)] if card.channels else output


def are_probabilities(output: Tensor) -> bool:
    """Return whether an output is within 0 and 1 and, of several channels, sums to 1.

    Args:
        output: Shape ``(tile, channel, y, x)``.

    """
    within = bool(output.min() >= 0) and bool(output.max() <= 1 + _ROUNDED)
    if output.shape[1] == 1:
        return within
    return within and bool((output.sum(dim=1) - 1).abs().max() <= _SLACK)


def _log(probabilities: Tensor) -> Tensor:
    if probabilities.shape[1] == 1:
        probabilities = torch.cat((1 - probabilities, probabilities), dim=1)
    least = float(probabilities.min())
    furthest = float((probabilities.sum(dim=1) - 1).abs().max())
    if least < -_SLACK or furthest > _SLACK:  # not for NaN, which is reported elsewhere
        raise RunError(
            f"the model is said to give probabilities, but a pixel's sum to 1 only "
            f"within {furthest:.3g}, and the least is {least:.3g}; its activation in "
            f"mlm.json is more likely softmax or sigmoid than none"
        )
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
