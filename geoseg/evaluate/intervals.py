"""95 % intervals of proportions, of their weighted sums, and of shares of two sums.

The textbook's estimate ± 1.96 standard errors holds the truth far less often than 95
times of 100 where a proportion is near 0 or 1, and has no width at all where all points
agree. Here a proportion has the interval of Wilson (1927), Probable inference, the law
of succession, and statistical inference, JASA 22, which Brown, Cai and DasGupta (2001),
Interval estimation for a binomial proportion, Statistical Science 16, advise. Sums and
ratios get theirs from their terms' ("variance recovery"): Zou, Huang and Zhang (2009),
A note on confidence interval estimation for a linear function of binomial proportions,
CSDA 53; Donner and Zou (2012), Closed-form confidence intervals for functions of the
normal mean and standard deviation, SMMR 21, for ratios.

Proportions here are those of the points of a stratum, in arrays ``(stratum, ...)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z95 = 1.959964
"""Standard errors on each side of the mean that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Figures and how sure they are; arrays of one shape, NaN where none is known."""

    value: NDArray[np.float64]
    """What the sample says."""
    standard_error: NDArray[np.float64]
    """As the papers give it: 0 where all points of a stratum agree."""
    low: NDArray[np.float64]
    """Where the 95 % interval begins."""
    high: NDArray[np.float64]
    """Where it ends."""

    def times(self, factor: float) -> Estimate:
        """Give the same in another unit."""
        return Estimate(
            self.value * factor,
            self.standard_error * factor,
            self.low * factor,
            self.high * factor,
        )


@dataclass(frozen=True, slots=True)
class Strata:
    """How the points of a sample stand for the map; arrays of shape ``(stratum,)``."""

    weights: NDArray[np.float64]
    """Each stratum's share of the map; they sum to 1."""
    points: NDArray[np.int64]
    """Points in each: at least two, but for a stratum without weight."""

    def sums(
        self, found: NDArray[np.float64], possible: NDArray[np.bool_] | None = None
    ) -> Estimate:
        """Estimate shares of the map, a weighted sum over the strata each.

        Args:
            found: The share of a stratum's points, shape ``(stratum, figure)``.
            possible: Where a figure may have any share of a stratum at all, of the
                same shape; everywhere by default.

        """
        low, high = wilson(found, self._column(self.points))
        if possible is not None:
            low, high = (np.where(possible, each, 0.0) for each in (low, high))
        weights = self._column(self.weights)
        value = (weights * found).sum(axis=0)
        below, above = (
            np.sqrt((weights**2 * (each - found) ** 2).sum(axis=0))
            for each in (low, high)
        )
        error = np.sqrt(self._summed(found * (1 - found)))
        return Estimate(
            value, error, np.maximum(value - below, 0), np.minimum(value + above, 1)
        )

    def parts(
        self,
        part: NDArray[np.float64],
        rest: NDArray[np.float64],
        possible: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ) -> Estimate:
        """Estimate which part of a whole has a property: a ratio of two sums.

        Args:
            part: The share of a stratum's points that are of the whole and have it,
                shape ``(stratum, figure)``.
            rest: The share that are of the whole and have it not.
            possible: Where either may have any share of a stratum at all.

        Returns:
            Shares of 0 to 1; NaN where the sample has nothing of the whole.

        """
        have, lack = self.sums(part, possible[0]), self.sums(rest, possible[1])
        whole = have.value + lack.value
        known = whole > 0
        value = np.where(known, have.value / np.where(known, whole, 1), np.nan)
        # What a point adds to the error is 1 - value, -value or 0.
        mean = (1 - value) * part - value * rest
        square = (1 - value) ** 2 * part + value**2 * rest
        error = np.sqrt(self._summed(square - mean**2)) / np.where(known, whole, 1)
        low, high = _ratio(lack, have, self._linked(part, rest, possible))
        return Estimate(
            value,
            error,
            np.where(known, 1 / (1 + high), np.nan),
            np.where(known, 1 / (1 + low), np.nan),
        )

    def _summed(self, variances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the variance of sums of which a point of a stratum has this one."""
        freedom = np.maximum(self._column(self.points) - 1, 1)
        terms = self._column(self.weights) ** 2 * np.maximum(variances, 0) / freedom
        return np.asarray(terms.sum(axis=0))

    def _linked(
        self,
        one: NDArray[np.float64],
        other: NDArray[np.float64],
        possible: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    ) -> NDArray[np.float64]:
        """Correlate two sums of which no point is in both.

        Shares are those between which Wilson's interval has its middle, so that what
        was not found has a variance, too.
        """
        points = self._column(self.points)
        first, second = (
            np.where(where, (each * points + Z95**2 / 2) / (points + Z95**2), 0)
            for each, where in zip((one, other), possible, strict=True)
        )
        spread = self._summed(first * (1 - first)) * self._summed(second * (1 - second))
        together = self._summed(first * second)
        return np.asarray(-together / np.sqrt(np.where(spread > 0, spread, 1)))

    def _column(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        return values.astype(np.float64)[:, np.newaxis]


def wilson(
    share: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give Wilson's interval of a proportion, which holds the share that was found.

    Args:
        share: The share of the points, 0 to 1.
        points: How many there are; with none, the interval is 0 to 1.

    Example:
        >>> low, high = wilson(np.array([1.0]), np.array([75.0]))
        >>> f"{low[0]:.3f} to {high[0]:.3f}"
        '0.951 to 1.000'

    """
    some = np.maximum(points, 1e-9)
    square = Z95**2 / some
    middle = (share + square / 2) / (1 + square)
    half = Z95 * np.sqrt(share * (1 - share) / some + square / some / 4) / (1 + square)
    return np.minimum(middle - half, share), np.maximum(middle + half, share)


def _ratio(
    above: Estimate, below: Estimate, linked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the interval of a ratio of two sums; it ends at infinity where it may.

    Args:
        above: The numerator, not negative.
        below: The denominator, not negative.
        linked: Their correlation. Where it is -1, both being parts of one stratum, the
            interval is that of the proportion itself.

    """

    def terms(
        end: NDArray[np.float64], other: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], ...]:
        product = above.value * below.value
        apart = abs(end - above.value) * abs(other - below.value)
        middle = product - linked * apart
        ends = end * (2 * above.value - end), other * (2 * below.value - other)
        root = np.sqrt(np.maximum(middle**2 - ends[0] * ends[1], 0))
        return middle, root, *ends

    with np.errstate(divide="ignore", invalid="ignore"):
        middle, root, end, _ = terms(above.low, below.high)
        low = np.where(below.high > 0, end / (middle + root), np.inf)
        low = np.where(above.low > 0, low, 0.0)
        middle, root, _, end = terms(above.high, below.low)
        high = np.where(end > 0, (middle + root) / end, np.inf)
    return low, high
