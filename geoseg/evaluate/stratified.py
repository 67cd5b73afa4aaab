"""What a stratified sample says of the whole map: areas and accuracies with intervals.

The estimators of Stehman (2014), Estimating area and map accuracy for stratified random
sampling when the strata are different from the map classes, International Journal of
Remote Sensing 35, 4923-4939. A sample was drawn at random within each stratum, so a
stratum's points stand for all of its pixels, however many points it got. Where the
strata are the map's classes, these are the estimators of Olofsson et al. (2014), Good
practices for estimating area and assessing accuracy of land change, Remote Sensing of
Environment 148, 42-57. Intervals are those of `geoseg.evaluate.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, ShapeError
from geoseg.evaluate.intervals import Estimate, Strata, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST = 2
"""Points of a stratum without which it has no variance, unless it has fewer pixels."""


@dataclass(frozen=True, slots=True)
class StratifiedEstimates:
    """Estimates for the whole map; arrays of shape ``(class,)``."""

    sample: NDArray[np.int64]
    """Sample counts, shape ``(class, class)``: map in rows, reference in columns."""
    proportions: NDArray[np.float64]
    """Estimated shares of the map, shape ``(class, class)``: map in rows, reference
    in columns; they sum to 1."""
    mapped: NDArray[np.float64]
    """What the map shows of each class, in pixels."""
    area: Estimate
    """What there is of each class, in pixels."""
    users: Estimate
    """User's accuracy, 0 to 1."""
    producers: Estimate
    """Producer's accuracy, 0 to 1."""
    overall: Estimate
    """Overall accuracy, 0 to 1; arrays without a dimension."""
    widest: NDArray[np.int64]
    """The stratum, counted from 0, that has most to do with the width of a class's
    area: more points in it would help most."""


def stratified_estimates(
    sample: ArrayLike, mapped_pixels: ArrayLike
) -> StratifiedEstimates:
    """Estimate areas and accuracies from a stratified random sample.

    Args:
        sample: How many points of each class on the map have each class in truth,
            shape ``(class, class)``: map in rows, reference in columns. Where the
            strata are not the map's classes, such a table for each stratum, shape
            ``(stratum, class, class)``.
        mapped_pixels: How many pixels of each class the map has, shape ``(class,)``.
            Where the strata are not the map's classes, how many pixels of each
            class each stratum has, shape ``(stratum, class)``. Strata without a
            pixel have no points.

    Raises:
        ShapeError: The shapes do not fit, or a count is negative.
        LabelsError: A stratum has fewer than two points, or one has points where it
            has no pixel.

    Example:
        The worked example of Olofsson et al. (2014): deforestation, forest gain,
        stable forest, stable non-forest, on pixels of 30 m (0.09 ha).

        >>> estimates = stratified_estimates(
        ...     [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]],
        ...     [200_000, 150_000, 3_200_000, 6_450_000],
        ... )
        >>> hectares = estimates.area.times(0.09)
        >>> f"{hectares.value[0]:,.0f} ± {1.96 * hectares.standard_error[0]:,.0f} ha"
        '21,158 ± 6,158 ha'
        >>> f"95 % interval {hectares.low[0]:,.0f} to {hectares.high[0]:,.0f} ha"
        '95 % interval 17,758 to 33,417 ha'

    """
    counts, pixels = np.asarray(sample, np.int64), np.asarray(mapped_pixels, np.float64)
    if counts.ndim == 2 and pixels.ndim == 1:  # noqa: PLR2004  the classes are the strata
        if counts.shape != (pixels.size, pixels.size):
            raise _misshapen(counts, pixels)
        own = np.eye(pixels.size, dtype=np.int64)
        counts, pixels = counts[:, np.newaxis] * own[..., np.newaxis], np.diag(pixels)
    _check(counts, pixels)
    size, points = pixels.sum(axis=1), counts.sum(axis=(1, 2))
    strata = Strata(size / size.sum(), points)
    # A stratum without a pixel has no points and no weight.
    found = counts / np.maximum(points, 1)[:, np.newaxis, np.newaxis]
    right = np.diagonal(found, axis1=1, axis2=2)
    mapped, true = found.sum(axis=2), found.sum(axis=1)
    shown, others = pixels > 0, pixels < size[:, np.newaxis]
    agree = right.sum(axis=1, keepdims=True)
    overall = strata.sums(agree)
    return StratifiedEstimates(
        sample=counts.sum(axis=0),
        proportions=np.tensordot(strata.weights, found, 1),
        mapped=pixels.sum(axis=0),
        area=strata.sums(true).times(size.sum()),
        users=strata.parts(right, mapped - right, (shown, shown)),
        producers=strata.parts(right, true - right, (shown, others)),
        overall=Estimate(
            overall.value[0],
            overall.standard_error[0],
            overall.low[0],
            overall.high[0],
        ),
        widest=_widest(true, strata),
    )


def _widest(found: NDArray[np.float64], strata: Strata) -> NDArray[np.int64]:
    """Find the stratum to which most of each sum's width is due."""
    low, high = wilson(found, strata.points[:, np.newaxis].astype(np.float64))
    return np.asarray(((high - low) * strata.weights[:, np.newaxis]).argmax(axis=0))


def _check(counts: NDArray[np.int64], pixels: NDArray[np.float64]) -> None:
    classes = pixels.shape[-1]
    if pixels.ndim != 2 or counts.shape != (*pixels.shape, classes):  # noqa: PLR2004  a table a stratum
        raise _misshapen(counts, pixels)
    if (counts < 0).any() or (pixels < 0).any() or not pixels.any():
        raise ShapeError(
            "counts of points and pixels are no less than 0, and some more"
        )
    size, points = pixels.sum(axis=1), counts.sum(axis=(1, 2))
    few = np.flatnonzero(points < np.minimum(FEWEST, size))
    if few.size:
        raise LabelsError(
            f"each stratum needs at least {FEWEST} points, but stratum "
            f"{few[0] + 1} of {size.size} has {points[few[0]]}; label more of it"
        )
    if ((pixels == 0) & (counts.sum(axis=2) > 0)).any():
        raise LabelsError(
            "points lie on a class of which the map has no pixel; "
            "give the map that the sample was drawn on"
        )


def _misshapen(counts: NDArray[np.int64], pixels: NDArray[np.float64]) -> ShapeError:
    return ShapeError(
        f"a sample has a row and a column for each of the {pixels.shape[-1]} mapped "
        f"classes, once a stratum, got shape {counts.shape} for pixels of shape "
        f"{pixels.shape}"
    )
