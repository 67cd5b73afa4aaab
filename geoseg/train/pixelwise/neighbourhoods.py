"""Labelled pixels and what lies around them, whose probabilities are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhoods:
    """Features of pixels, each at some places of a window around it."""

    values: NDArray[np.float32]
    """Shape ``(pixel, place, feature)``; the first place is the pixel itself."""
    seen: NDArray[np.bool_]
    """Where there is data, shape ``(pixel, place)``."""

    @property
    def own(self) -> NDArray[np.float32]:
        """The features of the pixels themselves, shape ``(pixel, feature)``."""
        return self.values[:, 0]

    def __getitem__(self, some: NDArray[Any]) -> Neighbourhoods:
        """Take some of the pixels, by numbers or by a mask."""
        return Neighbourhoods(self.values[some], self.seen[some])

    def likely(
        self,
        fitted: Any,  # noqa: ANN401  # scikit-learn has no types
    ) -> NDArray[np.float64]:
        """Average what a classifier says of the places, shape ``(pixel, class)``."""
        found = fitted.predict_proba(self.values[self.seen])
        likely = np.zeros((*self.seen.shape, found.shape[1]))
        likely[self.seen] = found
        mean: NDArray[np.float64] = likely.sum(1) / self.seen.sum(1, keepdims=True)
        return mean


def around(side: int) -> NDArray[np.int64]:
    """Give places that stand for a window: the middles of its nine parts.

    All of its pixels would say the same in many times the memory, for their windows
    overlap.

    Args:
        side: Of the window, in pixels.

    Returns:
        Rows and columns from its middle, which comes first, shape ``(place, 2)``.

    """
    step = round(side / 3)
    places = set(product((-step, 0, step), repeat=2)) if step else {(0, 0)}
    return np.array(sorted(places, key=lambda place: (place != (0, 0), place)))


def concatenate(parts: list[Neighbourhoods]) -> Neighbourhoods:
    """Put pixels of several images together."""
    return Neighbourhoods(
        np.concatenate([each.values for each in parts]),
        np.concatenate([each.seen for each in parts]),
    )
