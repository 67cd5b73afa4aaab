"""A map and a reference on disk to figures: assess()."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.accuracy.assessment import Assessment
from geoseg.accuracy.design import check_design
from geoseg.accuracy.where import MaskRaster, inside_of, split_of
from geoseg.accuracy.workers import spread
from geoseg.accuracy.write import product_paths, write_assessment
from geoseg.aoi import read_aoi
from geoseg.atomic import check_folder
from geoseg.classes import NODATA, Legend, plain_legend
from geoseg.errors import LabelsError, SceneError
from geoseg.evaluate.blocks import BlockMap, Evaluation, Inside, evaluate_blocks
from geoseg.evaluate.calibration import count_confidences
from geoseg.evaluate.confusion import compare
from geoseg.evaluate.points import look_up
from geoseg.evaluate.sampling import count_classes
from geoseg.evaluate.stratified import StratifiedEstimates, stratified_estimates
from geoseg.mosaic import ClassMap
from geoseg.reference import Points, read_reference
from geoseg.steps import OnStep, Step, ignore_step
from geoseg.vectorize.units import length_in_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geoseg.georef import Georef

CONFIDENCE = "confidence.tif"
"""The confidences that `geoseg segment` leaves beside its map."""
_NAMED = 5
"""Points that a sentence names at most."""
_WIDEST = 50
"""Pixels that boundaries may be apart at most: so much more is read around a block."""
_FEWEST = 2
"""Points that an estimate needs of each class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessOptions:
    """How a map is compared with a reference."""

    column: str | None = None
    """The column of a vector reference that holds the classes; ``class`` or
    ``reference`` where none is given."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """The map's class for classes of the reference that are called otherwise; an
    empty one leaves the class out."""
    held_out: str | None = None
    """The fold, such as ``0/5``, whose blocks alone are compared: those that a training
    with that fold held out has not seen. Blocks are counted from the map's first pixel,
    so it takes a map of the whole scene of the training."""
    held_out_block: int = 256
    """The side of those blocks in pixels."""
    boundary_tolerance: str = "2px"
    """How far apart boundaries may be and agree, such as ``2px`` or ``20m``."""
    stratified: bool = False
    """Whether the points are a sample that was drawn within the map's classes, and
    areas are to be estimated from it."""
    workers: int = 0
    """Worker processes to start; with 0 this one does it all."""
    scheduler: str | None = None
    """The address of a dask scheduler to work on, instead."""


def assess(  # noqa: PLR0913  # three files and how, each named by its caller
    class_map: Path | str,
    reference: Path | str,
    *,
    band: int | None = None,
    confidence: Path | str | None = None,
    within: Path | str | None = None,
    output: Path | str | None = None,
    options: AssessOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Assessment:
    """Measure how well a map agrees with a reference.

    Args:
        class_map: A raster of class ids; nodata and 255 are no class.
        reference: Polygons, points or a class raster, in any CRS and on any grid.
        band: The band of the classes, counted from 1, where there are several.
        confidence: A raster on the map's pixels, in percent; ``confidence.tif``
            beside the map where none is given and it is there.
        within: A vector file of polygons, in any CRS: only what is in them is
            compared, such as blocks that were held out of a training.
        output: A folder for ``accuracy.json`` and ``confusion.png``; none is written
            where none is given.
        options: Columns, classes, tolerance, and where to compute.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        All figures. Memory depends on the reference's polygons or points, not on the
        size of the map.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        DiskError: A file cannot be written.

    """
    options = options or AssessOptions()
    if output is not None:
        check_folder(Path(output))
    source = ClassMap.open(Path(class_map), band=band)
    on_step(Step("evaluate"))
    legend = source.legend() or plain_legend(source.counts())
    truth = read_reference(
        Path(reference),
        source.georef,
        {each.name: each.id for each in legend},
        column=options.column,
        mapping=options.mapping,
    )
    area = None if within is None else read_aoi(Path(within), source.georef)
    inside = inside_of(
        area, split_of(options.held_out, options.held_out_block, source.georef)
    )
    sure, warnings = _confidence(source, confidence)
    job = _Job(source, legend, sure, inside)
    estimates: StratifiedEstimates | None = None
    with spread(options.workers, options.scheduler) as map_blocks:
        if not isinstance(truth, Points):
            _refuse_estimates(reference, options)
            tolerance = _tolerance(options.boundary_tolerance, source.georef)
            evaluation = evaluate_blocks(
                source,
                truth,
                legend,
                confidence=sure,
                inside=inside,
                tolerance=tolerance,
                map_blocks=map_blocks,
            )
            more = truth.warnings
        elif options.stratified:
            evaluation = job.at_sample(Path(reference), truth, map_blocks)
            estimates = job.estimates(evaluation, map_blocks)
            more = _about_area(source.georef)
        else:
            evaluation, more = job.at_points(truth, map_blocks)
    assessment = Assessment(
        class_map=str(class_map),
        reference=str(reference),
        unit="points" if isinstance(truth, Points) else "pixels",
        evaluation=evaluation,
        estimates=estimates,
        pixel_area_m2=source.georef.pixel_area_m2(),
        warnings=(*warnings, *(area.warnings if area else ()), *more),
        products=product_paths(output),
    )
    write_assessment(assessment)
    return assessment


@dataclass(frozen=True, slots=True)
class _Job:
    """What is compared with points."""

    source: ClassMap
    legend: Legend
    confidence: ClassMap | None
    area: Inside | None

    def at_points(
        self, points: Points, map_blocks: BlockMap
    ) -> tuple[Evaluation, tuple[str, ...]]:
        """Compare at any points; what cannot be compared is told."""
        _refuse_unlabelled(points)
        ids = points.ids
        if self.area is not None:
            mask = MaskRaster(self.area, self.source.georef)
            inside = look_up(mask, points.rows, points.cols, map_blocks=map_blocks)
            ids = np.where(inside, ids, NODATA).astype(np.uint8)
        predicted = look_up(
            self.source, points.rows, points.cols, map_blocks=map_blocks
        )
        off_map = int(((predicted == NODATA) & (ids != NODATA)).sum())
        warnings = tuple(
            f"{count:,} points {why} and are left out"
            for count, why in (
                (points.outside, "lie outside the map"),
                (points.unlabelled, "have no class"),
                (off_map, "lie where the map has no class"),
            )
            if count
        )
        return self._compared(points, ids, predicted, map_blocks), warnings

    def at_sample(self, path: Path, points: Points, map_blocks: BlockMap) -> Evaluation:
        """Compare at a sample: every point counts, or the estimate is of nothing."""
        _refuse_unlabelled(points)
        if self.area is not None:
            raise LabelsError(
                "a stratified estimate is of the whole map on which its points were "
                "drawn, not of an area in it; draw a sample on the map of that area"
            )
        predicted = look_up(
            self.source, points.rows, points.cols, map_blocks=map_blocks
        )
        check_design(path, points.names, [self._name(each) for each in predicted])
        for count, why in (
            (points.outside, "lie outside the map"),
            (int((predicted == NODATA).sum()), "lie where the map has no class"),
        ):
            if count:
                raise LabelsError(
                    f"{count:,} points of {path} {why}, so that they are no sample of "
                    f"it; give the map that they were drawn on, or take them away"
                )
        if points.unlabelled:
            which = [points.names[i] for i in np.flatnonzero(~points.labelled)]
            raise LabelsError(
                f"{len(which):,} of {len(points.ids):,} points of {path} have no class "
                f"yet (id {', '.join(which[:_NAMED])}"
                f"{' ...' if len(which) > _NAMED else ''}); label them, or take them "
                f"away where nobody can tell"
            )
        return self._compared(points, points.ids, predicted, map_blocks)

    def estimates(
        self, evaluation: Evaluation, map_blocks: BlockMap
    ) -> StratifiedEstimates:
        """Estimate what the sample says of the whole map."""
        counts = count_classes(self.source, map_blocks=map_blocks)
        mapped = counts[list(self.legend.ids)]
        sample = evaluation.accuracy.matrix.T
        for each, pixels, points in zip(
            self.legend, mapped, sample.sum(axis=1), strict=True
        ):
            if pixels and points < _FEWEST:
                raise LabelsError(
                    f"class {each.name!r} covers {pixels:,} pixels of the map but has "
                    f"{points} points; each class needs at least {_FEWEST}"
                )
        return stratified_estimates(sample, mapped)

    def _compared(
        self,
        points: Points,
        ids: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        map_blocks: BlockMap,
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
                self.confidence, points.rows, points.cols, map_blocks=map_blocks
            )
            calibration = count_confidences(ids, predicted, sure)
        return Evaluation(accuracy, None, calibration)

    def _name(self, value: np.uint8) -> str:
        """Name a class; empty where the map has none."""
        return "" if value == NODATA else self.legend.by_id(int(value)).name


def _confidence(
    source: ClassMap, given: Path | str | None
) -> tuple[ClassMap | None, tuple[str, ...]]:
    """Open the confidences, those beside the map if they are of it."""
    path = Path(given) if given is not None else source.path.with_name(CONFIDENCE)
    if given is None and (not path.exists() or path == source.path):
        return None, ()
    raster = ClassMap.open(path)
    if raster.georef.same_plane_as(source.georef):
        return raster, ()
    sentence = f"{path} does not have the pixels of the map {source.path}"
    if given is not None:
        raise SceneError(f"{sentence}; give the confidences that were made with it")
    return None, (f"{sentence}: calibration is not measured",)


def _refuse_unlabelled(points: Points) -> None:
    if points.unlabelled == len(points.ids):
        raise LabelsError(
            f"none of the {len(points.ids):,} points on the map has a class yet; "
            f"label them first"
        )


def _tolerance(text: str, georef: Georef) -> float:
    """Read the boundaries' tolerance, in pixels."""
    tolerance = length_in_pixels(text, georef)
    if tolerance > _WIDEST:
        raise LabelsError(
            f"boundaries that are {text} apart ({tolerance:.4g} pixels) do not agree; "
            f"the tolerance is at most {_WIDEST} pixels"
        )
    return tolerance


def _refuse_estimates(reference: Path | str, options: AssessOptions) -> None:
    if options.stratified:
        raise LabelsError(
            f"a stratified estimate needs points that were drawn within the map's "
            f"classes (geoseg sample-points draws them), but {reference} covers ground"
        )


def _about_area(georef: Georef) -> tuple[str, ...]:
    if not georef.crs.is_geographic:
        return ()
    return (
        (
            "the map is in degrees, so that its pixels differ in area: hectares are "
            "those of the pixel at its centre; for exact ones map in an equal-area CRS"
        ),
    )
