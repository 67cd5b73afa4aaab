"""A map compared with points: any points, or a sample that stands for the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, counted
from geoseg.evaluate.blocks import Evaluation, Inside
from geoseg.evaluate.calibration import count_confidences
from geoseg.evaluate.confusion import compare
from geoseg.evaluate.masks import MaskRaster
from geoseg.evaluate.points import look_up
from geoseg.evaluate.sample_design import check_design
from geoseg.evaluate.sampling import count_pairs
from geoseg.evaluate.stratified import FEWEST, StratifiedEstimates, stratified_estimates
from geoseg.geo.legend import NODATA, Legend

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.evaluate.strata import Population
    from geoseg.geo.windowed import BlockMap
    from geoseg.overlay.reference import Points
    from geoseg.raster import ClassMap

_NAMED = 5
"""Points that a sentence names at most."""


@dataclass(frozen=True, slots=True)
class SampleFigures:
    """What a sample says."""

    evaluation: Evaluation
    """Of the points as they are."""
    estimates: StratifiedEstimates
    """Of the whole map."""
    strata: tuple[str, ...]
    """The names of the strata, in the order of the estimates."""
    unsampled: int
    """Pixels of the map that have a class but lie in no stratum."""
    predicted: NDArray[np.uint8]
    """The map's class at each point, shape ``(point,)``."""


@dataclass(frozen=True, slots=True)
class ComparedMap:
    """A map that is compared with a reference, and where."""

    source: ClassMap
    """The map."""
    legend: Legend
    """Its classes."""
    confidence: ClassMap | None
    """Its confidences, where there are any."""
    area: Inside | None
    """Where it is compared; None for everywhere."""
    map_blocks: BlockMap
    """What applies a function to every block."""

    def points(self, points: Points) -> tuple[Evaluation, tuple[str, ...]]:
        """Compare at any points; what cannot be compared is a warning."""
        _refuse_unlabelled(points)
        ids = points.ids
        if self.area is not None:
            mask = MaskRaster(self.area, self.source.geobox)
            inside = look_up(mask, points.rows, points.cols, map_blocks=self.map_blocks)
            ids = np.where(inside, ids, NODATA).astype(np.uint8)
        predicted = look_up(
            self.source, points.rows, points.cols, map_blocks=self.map_blocks
        )
        off_map = int(((predicted == NODATA) & (ids != NODATA)).sum())
        warnings = tuple(
            f"left out {counted(count, 'point')} {where}"
            for count, where in (
                (points.outside, "outside the map"),
                (points.unlabelled, "without a class"),
                (off_map, "where the map has no class"),
            )
            if count
        )
        return self._compared(points, ids, predicted), warnings

    def sample(self, path: Path, points: Points, strata: Population) -> SampleFigures:
        """Compare at a sample: every point counts, or the estimate is of nothing."""
        _refuse_unlabelled(points)
        if self.area is not None:
            raise LabelsError(
                "a stratified estimate is of the whole map on which its points were "
                "drawn, not of an area in it; draw a sample on the map of that area"
            )
        predicted, stratum = (
            look_up(raster, points.rows, points.cols, map_blocks=self.map_blocks)
            for raster in (self.source, strata)
        )
        pairs = count_pairs(strata, self.source, map_blocks=self.map_blocks)
        unsampled = int(pairs[NODATA, :NODATA].sum())
        pairs[NODATA] = pairs[:, NODATA] = 0
        values = np.flatnonzero(pairs.sum(axis=1))
        legend = strata.legend()
        named = {value: legend.by_id(value).name for value in values.tolist()}
        inside = [named.get(value, "") for value in stratum.tolist()]
        check_design(path, points.names, inside, strata=strata.strata is not None)
        _refuse_others(path, points, stratum, strata)
        evaluation = self._compared(points, points.ids, predicted)
        ids, counted = np.array(self.legend.ids), points.ids != NODATA
        counts = np.zeros((len(values), len(ids), len(ids)), np.int64)
        cells = (
            np.searchsorted(each, of[counted])
            for each, of in ((values, stratum), (ids, predicted), (ids, points.ids))
        )
        np.add.at(counts, tuple(cells), 1)
        pixels = pairs[np.ix_(values, ids)]
        _refuse_few(strata.noun, tuple(named.values()), counts, pixels)
        return SampleFigures(
            evaluation,
            stratified_estimates(counts, pixels),
            tuple(named.values()),
            unsampled,
            predicted,
        )

    def _compared(
        self, points: Points, ids: NDArray[np.uint8], predicted: NDArray[np.uint8]
    ) -> Evaluation:
        accuracy = compare(ids, predicted, self.legend)
        if not accuracy.pixels:
            raise LabelsError(
                "nothing can be compared: no point with a class lies where the map "
                "has one; check that both show the same ground, and the area asked for"
            )
        calibration = None
        if self.confidence is not None:
            sure = look_up(
                self.confidence, points.rows, points.cols, map_blocks=self.map_blocks
            )
            calibration = count_confidences(ids, predicted, sure, self.legend.ids)
        return Evaluation(accuracy, None, calibration)


def _refuse_few(
    noun: str,
    names: tuple[str, ...],
    counts: NDArray[np.int64],
    pixels: NDArray[np.int64],
) -> None:
    """Refuse a stratum with too few points for an estimate."""
    sizes, points = pixels.sum(axis=1), counts.sum(axis=(1, 2))
    for name, size, number in zip(names, sizes, points, strict=True):
        if number < min(FEWEST, size):  # of one pixel, one point says all
            raise LabelsError(
                f"{noun} {name!r} covers {counted(size, 'pixel')} of the map but "
                f"has {counted(number, 'point')}; each {noun} needs at least {FEWEST}"
            )


def _refuse_others(
    path: Path, points: Points, stratum: NDArray[np.uint8], strata: Population
) -> None:
    """Refuse a sample of which points are missing, or that others are among."""
    for count, where in (
        (points.outside, "outside the map"),
        (int((stratum == NODATA).sum()), f"where the map has no {strata.noun}"),
    ):
        if count:
            raise LabelsError(
                f"{path} has {counted(count, 'point')} {where}, so that it is no "
                f"sample of the map; give the map that it was drawn on, or take away "
                f"what was added"
            )
    if points.unlabelled:
        which = [points.names[i] for i in np.flatnonzero(~points.labelled)]
        raise LabelsError(
            f"{counted(len(which), 'point')} of {len(points.ids):,} in {path} without "
            f"a class yet (id {', '.join(which[:_NAMED])}"
            f"{' ...' if len(which) > _NAMED else ''}); label them, or take them "
            f"away where nobody can say"
        )


def _refuse_unlabelled(points: Points) -> None:
    if points.unlabelled == len(points.ids):
        raise LabelsError(
            f"none of the {len(points.ids):,} points on the map has a class yet; "
            f"label them first"
        )
