"""What a sample of points says of zones: estimates with intervals, where it can.

Points that were drawn at random within the map's classes are, within a zone, a random
sample of each class's ground there, and the map says how much that is. So the
estimators of `geoseg.evaluate.stratified` hold for a zone as for the whole map, with
the classes' areas in the zone as sizes of the strata: estimation for domains of known
size, Sarndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, chapter 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.evaluate.stratified import FEWEST, stratified_estimates
from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from geoseg.evaluate.zonal import ZonalAreas
    from geoseg.geo.legend import Legend
    from geoseg.overlay.reference import Points


@dataclass(frozen=True, slots=True)
class ZoneEstimates:
    """Estimates of zones; arrays of shape ``(zone, class)``, NaN for none."""

    area: NDArray[np.float64]
    """Square metres."""
    low: NDArray[np.float64]
    """Where the 95 % interval begins."""
    high: NDArray[np.float64]
    """Where it ends."""
    notes: tuple[str, ...]
    """Of each zone, why there is no estimate; empty where there is one."""


def estimate_zones(
    points: Points,
    predicted: NDArray[np.uint8],
    legend: Legend,
    found: ZonalAreas,
    inside: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]],
) -> ZoneEstimates:
    """Estimate how much of each class there is in each zone.

    Args:
        points: A labelled sample that was drawn within the map's classes.
        predicted: The map's class at each point.
        legend: The map's classes.
        found: What the map shows in the zones.
        inside: Finds for pixels, by rows and columns, in which zones their centres lie:
            shape ``(zone, point)``.

    """
    ids = np.array(legend.ids)
    labelled = points.ids != NODATA
    within = inside(points.rows, points.cols) & labelled
    figures = np.full((3, *found.areas.shape), np.nan)
    notes = []
    for zone, (areas, here) in enumerate(zip(found.areas, within, strict=True)):
        cells = (np.searchsorted(ids, of[here]) for of in (predicted, points.ids))
        counts = np.zeros((len(ids), len(ids)), np.int64)
        np.add.at(counts, tuple(cells), 1)
        note = _lacking(areas, counts.sum(axis=1), legend)
        notes.append(note)
        if not note:
            estimated = stratified_estimates(counts, areas).area
            figures[:, zone] = estimated.value, estimated.low, estimated.high
    area, low, high = figures
    return ZoneEstimates(area, low, high, tuple(notes))


def _lacking(
    areas: NDArray[np.float64], points: NDArray[np.int64], legend: Legend
) -> str:
    """Say which class has too few points in a zone for an estimate, if one has."""
    if not areas.any():
        return "no ground with a class"
    there = np.where(areas > 0, points, FEWEST)
    worst = int(there.argmin())
    if there[worst] >= FEWEST:
        return ""
    name = list(legend)[worst].name
    return f"too few points: {there[worst]} on {name}, and {FEWEST} are needed"
