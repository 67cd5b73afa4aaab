"""Candidates of every class in turn, uncertain, and unlike what is labelled.

Uncertainty by itself asks for the same doubt twenty times over; the greatest distance
by itself (Sener and Savarese 2018, Active learning for convolutional neural networks: a
core-set approach, ICLR) for oddities. So each class that the model sees has its turn,
and of a few uncertain candidates, drawn by lot, the one farthest from all that is
known by then is taken. The farthest of all was measured to teach less.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIVALS = 3
"""Candidates of which the farthest is taken."""


def most_uncertain(
    entropies: NDArray[np.uint8], classes: NDArray[np.uint8], share: float
) -> NDArray[np.int64]:
    """Find the share of each class's candidates with the highest entropies.

    Returns:
        Their indices, in order; one of each class at least.

    """
    found = []
    for each in np.unique(classes):
        own = np.flatnonzero(classes == each)
        order = np.argsort(-entropies[own].astype(np.int64), kind="stable")
        found.append(own[order[: int(np.ceil(share * len(own)))]])
    return np.sort(np.concatenate(found))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Candidates to choose among; arrays of one length."""

    features: NDArray[np.float64]
    """What distances are measured in, shape ``(candidate, feature)``."""
    cells: NDArray[np.int64]
    """Row and column of each, shape ``(candidate, 2)``."""
    classes: NDArray[np.uint8]
    """The class that the model gives each."""
    lots: NDArray[np.int64]
    """The order in which those of a class come up."""


def choose_in_turn(
    among: Places, known: NDArray[np.float64], count: int, spacing: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose candidates one by one, of each class in turn.

    Args:
        among: The candidates.
        known: Features of what is labelled, shape ``(pixel, feature)``; may be empty.
        count: How many are wanted.
        spacing: Pixels along rows or columns between two that are chosen, at least;
            halved where otherwise none is left.

    Returns:
        The candidates in the order of choice, and the distance of each from what was
        known before; infinite of the first where nothing is. Fewer than wanted where
        candidates run out.

    """
    size = len(among.classes)
    distance = np.full(size, np.inf)
    if len(known):
        distance = cdist(among.features, known).min(axis=1)
    apart = np.full(size, np.inf)
    by_lot = np.argsort(among.lots, kind="stable")
    chosen: list[int] = []
    far: list[float] = []
    free = np.ones(size, bool)
    for each in cycle(np.unique(among.classes)):
        if len(chosen) == count or not free.any():
            break
        while not (free & (apart >= spacing)).any():
            spacing /= 2
        is_open = free & (apart >= spacing) & (among.classes == each)
        rivals = by_lot[is_open[by_lot]][:RIVALS]
        if not rivals.size:
            continue
        pick = int(rivals[distance[rivals].argmax()])
        chosen.append(pick)
        far.append(float(distance[pick]))
        free[pick] = False
        own = among.features[[pick]]
        distance = np.minimum(distance, cdist(among.features, own)[:, 0])
        away = np.abs(among.cells - among.cells[pick]).max(axis=1)
        apart = np.minimum(apart, away)
    return np.array(chosen, np.int64), np.array(far)
