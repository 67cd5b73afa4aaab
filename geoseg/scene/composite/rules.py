"""What becomes of a stack of looks at the same pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.scene.composite import kernels
from geoseg.scene.composite.observations import STACKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.options import Rule

NONE = -1
"""The date of a pixel for which none was chosen."""


@dataclass(frozen=True, slots=True)
class Composite:
    """A window of a composite."""

    pixels: NDArray[np.generic]
    """In the scene's dtype, shape ``(band, y, x)``; 0 where no look is clear."""
    counts: NDArray[np.uint16]
    """How many looks are clear at each pixel, shape ``(y, x)``."""
    chosen: NDArray[np.int32]
    """Which observation each pixel is of, counted from 0, shape ``(y, x)``; -1 where
    none is clear, and everywhere where a rule takes from all of them."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where a look is clear, shape ``(y, x)``."""
        return self.counts > 0


@dataclass(frozen=True, slots=True)
class CompositeRecipe:
    """How a composite is made of a stack."""

    rule: Rule
    """What is taken: see `combine`."""
    weighed: tuple[int, ...] = ()
    """The scene's bands that a medoid's distances are measured in, or the red one and
    the near infrared one of an index: read whatever bands are wanted."""

    @property
    def is_one_date(self) -> bool:
        """Whether each pixel is one look's, and has a date."""
        return self.rule not in {"median", "mean"}


def combine(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    recipe: CompositeRecipe,
    bands: Sequence[int],
) -> Composite:
    """Make one image of a stack of looks.

    ``median`` and ``mean`` take each band by itself, in float64: of an even count the
    median is the mean of the two in the middle; whole numbers are rounded, halves to
    even. ``medoid`` takes the look whose Euclidean distances to all the other clear
    ones sum to least, so that bands stay together (N. Flood, Seasonal composite Landsat
    TM/ETM+ images using the medoid, Remote Sensing 5(12), 2013). ``max-ndvi`` takes the
    greenest (B. N. Holben, Characteristics of maximum-value composite images, Int. J.
    Remote Sensing 7(11), 1986). All other rules take the first that is clear; of equals
    the first wins everywhere.

    Args:
        stack: Pixels, shape ``(date, band, y, x)``, in the order in which looks count.
        valid: Where each is clear, shape ``(date, y, x)``.
        recipe: What is taken.
        bands: The scene's band of each of the stack's.

    """
    _, count, *sides = stack.shape
    shape = sides[0], sides[1]
    pixels = np.zeros((count, *shape), stack.dtype)
    chosen = np.full(shape, NONE, np.int32)
    clear = valid.sum(axis=0, dtype=np.uint16)
    if recipe.is_one_date:
        _choose(stack, valid, recipe, [*bands], chosen)
        kernels.take(stack, chosen, pixels)
    else:
        whole = bool(np.issubdtype(stack.dtype, np.integer))
        if recipe.rule == "median":
            most = np.iinfo(stack.dtype.name).max if whole else np.inf
            kernels.median(stack, valid, whole, stack.dtype.type(most), pixels)
        else:
            kernels.mean(stack, valid, whole, pixels)
    return Composite(pixels, clear, chosen)


def _choose(
    stack: NDArray[np.generic],
    valid: NDArray[np.bool_],
    recipe: CompositeRecipe,
    bands: list[int],
    chosen: NDArray[np.int32],
) -> None:
    indices = [bands.index(band) for band in recipe.weighed]
    if recipe.rule == "medoid":
        kernels.medoid(stack, valid, np.array(indices, np.int64), chosen)
    elif recipe.rule in STACKED:
        kernels.greenest(stack, valid, indices[0], indices[1], chosen)
    else:
        kernels.first(valid, chosen)
