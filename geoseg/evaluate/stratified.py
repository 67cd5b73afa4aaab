"""What a stratified sample says of the whole map: areas and accuracies with intervals.

The estimators of Olofsson et al. (2014), Good practices for estimating area and
assessing accuracy of land change, Remote Sensing of Environment 148, 42-57. A sample
was drawn at random within each class of the map (its stratum), so a class's points
stand for all of its pixels, however many points it got. The equations' numbers in
comments are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Z95 = 1.96
"""Standard errors on each side of a 95 % interval, as in the paper."""

_FEWEST = 2
"""Points of a stratum without which it has no variance."""


@dataclass(frozen=True, slots=True)
class StratifiedEstimates:
    """Estimates for the whole map; arrays of shape ``(class,)``, errors at 95 %.

    An error is half the width of a 95 % confidence interval: the estimate less and
    more it. NaN where a class gives no estimate.
    """

    sample: NDArray[np.int64]
    """Sample counts, shape ``(class, class)``: map in rows, reference in columns."""
    proportions: NDArray[np.float64]
    """Estimated shares of the map, shape ``(class, class)``: map in rows, reference
    in columns; they sum to 1."""
    mapped: NDArray[np.float64]
    """What the map shows of each class, in pixels."""
    area: NDArray[np.float64]
    """What there is of each class, estimated, in pixels."""
    area_error: NDArray[np.float64]
    """Its error, in pixels."""
    users: NDArray[np.float64]
    """User's accuracy, 0 to 1."""
    users_error: NDArray[np.float64]
    """Its error."""
    producers: NDArray[np.float64]
    """Producer's accuracy, 0 to 1."""
    producers_error: NDArray[np.float64]
    """Its error."""
    overall: float
    """Overall accuracy, 0 to 1."""
    overall_error: float
    """Its error."""


def stratified_estimates(
    sample: ArrayLike, mapped_pixels: ArrayLike
) -> StratifiedEstimates:
    """Estimate areas and accuracies from a stratified random sample.

    Args:
        sample: How many points of each class on the map have each class in truth,
            shape ``(class, class)``: map in rows, reference in columns.
        mapped_pixels: How many pixels of each class the map has, shape ``(class,)``.
            Classes without a pixel have no points.

    Raises:
        ShapeError: The shapes do not fit, or a count is negative.
        LabelsError: A mapped class has fewer than two points, or one without a pixel
            has any.

    Example:
        The worked example of Olofsson et al. (2014): deforestation, forest gain,
        stable forest, stable non-forest, on pixels of 30 m (0.09 ha).

        >>> estimates = stratified_estimates(
        ...     [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]],
        ...     [200_000, 150_000, 3_200_000, 6_450_000],
        ... )
        >>> f"{estimates.area[0]:,.0f} pixels"
        '235,086 pixels'
        >>> area, error = estimates.area[0] * 0.09, estimates.area_error[0] * 0.09
        >>> f"{area:,.0f} ha, 95 % interval {error:,.0f} ha either side"
        '21,158 ha, 95 % interval 6,158 ha either side'

    """
    counts, mapped = np.asarray(sample, np.int64), np.asarray(mapped_pixels, np.float64)
    _check(counts, mapped)
    points = counts.sum(axis=1)
    total = mapped.sum()
    weights = mapped / total
    # A class that the map does not show has no points and no weight.
    rows = counts / np.maximum(points, 1)[:, np.newaxis]
    freedom = np.maximum(points - 1, 1)
    proportions = weights[:, np.newaxis] * rows  # eq. 4
    shares = proportions.sum(axis=0)  # eq. 9
    spread = rows * (1 - rows) / freedom[:, np.newaxis]
    share_variance = (weights[:, np.newaxis] ** 2 * spread).sum(axis=0)  # eq. 10
    users = np.where(points > 0, np.diag(rows), np.nan)  # eq. 2
    users_variance = np.where(points > 0, np.diag(spread), np.nan)  # eq. 6
    overall_variance = float((weights**2 * np.diag(spread)).sum())  # eq. 5
    producers, producers_variance = _producers(rows, spread, mapped)
    return StratifiedEstimates(
        sample=counts,
        proportions=proportions,
        mapped=mapped,
        area=shares * total,
        area_error=Z95 * np.sqrt(share_variance) * total,
        users=users,
        users_error=Z95 * np.sqrt(users_variance),
        producers=producers,
        producers_error=Z95 * np.sqrt(producers_variance),
        overall=float(np.trace(proportions)),  # eq. 1
        overall_error=Z95 * overall_variance**0.5,
    )


def _producers(
    rows: NDArray[np.float64], spread: NDArray[np.float64], mapped: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate producer's accuracies (eq. 3) and their variances (eq. 7)."""
    there = mapped @ rows  # estimated pixels of each class in truth
    found = mapped * np.diag(rows)
    known = there > 0
    accuracy = np.where(known, found / np.where(known, there, 1), np.nan)
    # Of each row's share of a class, in pixels squared.
    parts = mapped[:, np.newaxis] ** 2 * spread
    own = np.diag(parts)
    others = parts.sum(axis=0) - own
    variance = (1 - accuracy) ** 2 * own + accuracy**2 * others
    return accuracy, variance / np.where(known, there, 1) ** 2


def _check(counts: NDArray[np.int64], mapped: NDArray[np.float64]) -> None:
    if counts.ndim != 2 or counts.shape != (mapped.size, mapped.size):  # noqa: PLR2004  a matrix
        raise ShapeError(
            f"a sample has a row and a column for each of the {mapped.size} mapped "
            f"classes, got shape {counts.shape}"
        )
    if (counts < 0).any() or (mapped < 0).any() or not mapped.any():
        raise ShapeError(
            "counts of points and pixels are no less than 0, and some more"
        )
    points = counts.sum(axis=1)
    few = np.flatnonzero((mapped > 0) & (points < _FEWEST))
    if few.size:
        raise LabelsError(
            f"each class of the map needs at least {_FEWEST} points, but class "
            f"{few[0] + 1} of {mapped.size} has {points[few[0]]}; label more of it"
        )
    if ((mapped == 0) & (points > 0)).any():
        raise LabelsError(
            "points lie on a class of which the map has no pixel; "
            "give the map that the sample was drawn on"
        )
