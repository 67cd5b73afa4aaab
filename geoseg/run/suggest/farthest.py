"""Candidates that are unlike what is labelled, and unlike each other.

Greedy farthest points (Gonzalez 1985, Clustering to minimize the maximum intercluster
distance, Theoretical Computer Science 38), among uncertain pixels alone: uncertainty by
itself asks for the same doubt twenty times over, distance by itself for oddities
(Sener and Savarese 2018, Active learning for convolutional neural networks: a core-set
approach, ICLR).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from numpy.typing import NDArray


def most_uncertain(
    entropies: NDArray[np.uint8], share: float, least: int
) -> NDArray[np.int64]:
    """Find the share of candidates with the highest entropies, in their own order."""
    count = max(least, int(np.ceil(share * len(entropies))))
    order = np.argsort(-entropies.astype(np.int64), kind="stable")
    return np.sort(order[:count])


def farthest(
    features: NDArray[np.float64],
    known: NDArray[np.float64],
    places: NDArray[np.int64],
    count: int,
    spacing: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose candidates one by one, each the farthest from all that is known by then.

    Args:
        features: Of each candidate, shape ``(candidate, feature)``.
        known: Of what is labelled, shape ``(pixel, feature)``; may be empty.
        places: Row and column of each candidate, shape ``(candidate, 2)``.
        count: How many are wanted.
        spacing: Pixels along rows or columns between two that are chosen, at least;
            halved where otherwise none is left.

    Returns:
        The candidates in the order of choice, and the distance of each from what was
        known before; infinite of the first where nothing is. Fewer than wanted where
        candidates run out.

    """
    distance = np.full(len(features), np.inf)
    if len(known):
        distance = cdist(features, known).min(axis=1)
    apart = np.full(len(features), np.inf)
    free = np.ones(len(features), bool)
    chosen: list[int] = []
    far: list[float] = []
    while len(chosen) < count and free.any():
        open_to = free & (apart >= spacing)
        if not open_to.any():
            spacing /= 2
            continue
        place = int(np.where(open_to, distance, -1).argmax())
        chosen.append(place)
        far.append(distance[place])
        free[place] = False
        distance = np.minimum(distance, cdist(features, features[[place]])[:, 0])
        apart = np.minimum(apart, np.abs(places - places[place]).max(axis=1))
    return np.array(chosen, np.int64), np.array(far)
