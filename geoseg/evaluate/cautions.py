"""What figures do not say, a sentence each: for people who read the figures alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.evaluate.blocks import Evaluation
    from geoseg.evaluate.stratified import StratifiedEstimates
    from geoseg.geo.legend import Legend

_WIDE = 0.3
"""A 95 % interval of an accuracy that is wider says next to nothing."""


def of_boundaries(evaluation: Evaluation) -> Iterator[str]:
    """Say of which classes the boundary F1 is blank, and why."""
    boundaries, accuracy = evaluation.boundaries, evaluation.accuracy
    if boundaries is None:
        return
    hidden = (accuracy.in_reference > 0) & (boundaries.in_reference == 0)
    if hidden.any():
        classes = accuracy.legend.classes
        names = ", ".join(classes[index].name for index in np.flatnonzero(hidden))
        yield (
            f"there is no boundary F1 of {names}: the reference shows none of their "
            f"boundaries; polygons that lie apart have none, labels without gaps all"
        )


def of_strata(unsampled: int) -> Iterator[str]:
    """Say of how many pixels no sample speaks."""
    if unsampled:
        yield (
            f"{counted(unsampled, 'pixel of the map lies', 'pixels of the map lie')} "
            f"in no stratum: no point could be drawn there, and all estimates are of "
            f"the others"
        )


def of_sample(
    estimates: StratifiedEstimates, legend: Legend, strata: Sequence[str]
) -> Iterator[str]:
    """Say what a sample is too small for.

    Args:
        estimates: What it says.
        legend: The map's classes, in the order of the estimates.
        strata: The names of the strata.

    """
    area, users = estimates.area, estimates.users
    there = (estimates.mapped > 0) | (area.value > 0)
    unknown = there & (area.high - area.low > area.value)
    for index in np.flatnonzero(unknown):
        yield (
            f"the sample is too small for the area of {legend.classes[index].name}: "
            f"the 95 % interval is wider than the estimate; more points in "
            f"{strata[estimates.widest[index]]} would narrow it most"
        )
    vague = np.nan_to_num(users.high - users.low) > _WIDE
    for index in np.flatnonzero(vague):
        points = int(estimates.sample[index].sum())
        estimate = counted(points, "point estimates", "points estimate")
        yield (
            f"the sample is too small for the user's accuracy of "
            f"{legend.classes[index].name}: {estimate} it to within "
            f"{100 * users.low[index]:.0f} and {100 * users.high[index]:.0f} %"
        )
