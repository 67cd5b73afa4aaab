"""A map and a reference on disk to figures: evaluate()."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from geoseg.errors import LabelsError, SceneError
from geoseg.evaluate.assessment import Assessment
from geoseg.evaluate.at_points import ComparedMap
from geoseg.evaluate.blocks import evaluate_blocks
from geoseg.evaluate.cautions import of_boundaries, of_sample, of_strata
from geoseg.evaluate.masks import inside_of, split_of
from geoseg.evaluate.products import check_products, product_paths, write_assessment
from geoseg.evaluate.strata import Population
from geoseg.options import EvaluateOptions
from geoseg.overlay.aoi import read_aoi
from geoseg.overlay.reference import Points, read_reference
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap
from geoseg.raster.given import map_file, named
from geoseg.raster.map_folder import map_and_strata
from geoseg.run.cluster import Patience, block_map
from geoseg.scene import absolute
from geoseg.storage.remote import without_secrets
from geoseg.vectorize.units import read_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.evaluate.blocks import Evaluation
    from geoseg.evaluate.stratified import StratifiedEstimates
    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.overlay.reference.polygons import ReferencePolygons
    from geoseg.overlay.reference.reference_raster import ReferenceRaster
    from geoseg.raster.given import GivenMap

    PixelReference = ReferencePolygons | ReferenceRaster

CONFIDENCE = "confidence.tif"
"""The confidences that `geoseg segment` leaves beside its map."""
_SQUARE = 0.01
"""Sides that differ by a smaller share make a square pixel."""
_UNEVEN = 0.01
"""By which share the pixels of a map may differ in area without a word."""
_WIDEST = 50
"""Pixels that boundaries may be apart at most: so much more is read around a block."""


def evaluate(  # noqa: PLR0913  # three files and how, each named by its caller
    class_map: GivenMap,
    reference: GivenMap,
    *,
    band: int | None = None,
    confidence: Path | str | None = None,
    within: Path | str | None = None,
    strata: Path | str | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
    options: EvaluateOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Assessment:
    """Measure how well a map agrees with a reference.

    Args:
        class_map: A raster of classes, as `geoseg.vectorize` takes it; or the folder of
            `geoseg.change`, with its strata, or of `geoseg.segment`; or a DataArray of
            class ids, as `geoseg.polygons` takes it.
        reference: Polygons, points or a class raster, in any CRS and on any grid; or
            a DataArray, as above.
        band: The band of the classes, counted from 1, where there are several.
        confidence: A raster on the map's pixels, in percent; ``confidence.tif``
            beside the map where none is given and it is there.
        within: A vector file of polygons, in any CRS: only what is in them is
            compared, such as blocks that were held out of a training.
        strata: The raster within whose values a sample was drawn, where these were
            not the map's classes: the points are such a sample.
        output: A folder for ``accuracy.json`` and ``confusion.png``; none is written
            where none is given.
        overwrite: Whether files of these names may be replaced that geoseg did not
            write.
        options: Columns, classes, tolerance, and where to compute.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        All figures. Memory depends on the reference's polygons or points, not on the
        size of the map.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        DiskError: A file cannot be written.

    Example:
        >>> found = evaluate("out/landcover.tif", "labels.gpkg")  # doctest: +SKIP
        >>> found.evaluation.accuracy.overall  # doctest: +SKIP

    """
    options = options or EvaluateOptions()
    class_map, own = map_and_strata(class_map, strata)
    strata = own if options.stratified else strata
    if strata is not None:
        options = replace(options, stratified=True)
    given = (class_map, reference, confidence, within, strata)
    read = [each for each in given if isinstance(each, str | Path)]
    check_products(output, read, overwrite=overwrite)
    beside = _Beside(band, confidence, within, strata)
    with map_file(class_map) as map_path, map_file(reference) as reference_path:
        found = _assess(map_path, reference_path, beside, options, on_step)
    assessment = replace(
        found,
        class_map=without_secrets(named(class_map)),
        reference=without_secrets(named(reference)),
        products=product_paths(output),
    )
    write_assessment(assessment)
    return assessment


class _Beside(NamedTuple):
    """What is given beside a map and a reference: see `evaluate`."""

    band: int | None
    confidence: Path | str | None
    within: Path | str | None
    strata: Path | str | None


def _assess(
    class_map: Path | str,
    reference: Path | str,
    beside: _Beside,
    options: EvaluateOptions,
    on_step: OnStep,
) -> Assessment:
    """Compare a map with a reference; nothing is written."""
    band, confidence, within, strata = beside
    if options.scheduler is not None:
        class_map, reference = absolute(class_map), absolute(reference)
        confidence = confidence and absolute(confidence)
        strata = strata and absolute(strata)
    source = ClassMap.open(class_map, band=band)
    legend = source.legend()
    truth = read_reference(
        reference,
        source.geobox,
        {each.name: each.id for each in legend},
        column=options.column,
        mapping=options.mapping,
        numbers={str(each.number): each.id for each in legend},
    )
    area = None if within is None else read_aoi(Path(within), source.geobox)
    inside = inside_of(
        area, split_of(options.held_out, options.held_out_block, source.geobox)
    )
    sure, warnings = beside_map(source, confidence, "calibration is not measured")
    on_step(Step("evaluate"))
    patience = Patience.of(options.wait_for_workers, "evaluate", on_step)
    with block_map(
        options.workers, options.scheduler, patience, options.certificates
    ) as map_blocks:
        at = ComparedMap(source, legend, sure, inside, map_blocks)
        if not isinstance(truth, Points):
            _refuse_estimates(reference, options)
            found = _all_pixels(at, truth, options)
        elif options.stratified:
            found = _sample(at, Path(reference), truth, strata)
        else:
            found = _Found(*at.points(truth), source.geobox.pixel_area_m2())
    return Assessment(
        class_map=str(class_map),
        reference=str(reference),
        unit="points" if isinstance(truth, Points) else "pixels",
        evaluation=found.evaluation,
        estimates=found.estimates,
        pixel_area_m2=found.pixel_area_m2,
        warnings=(
            *source.warnings,
            *warnings,
            *(area.warnings if area else ()),
            *found.warnings,
        ),
        products={},
    )


class _Found(NamedTuple):
    """What a comparison says."""

    evaluation: Evaluation
    warnings: Sequence[str]
    pixel_area_m2: float
    estimates: StratifiedEstimates | None = None


def _all_pixels(
    at: ComparedMap, truth: PixelReference, options: EvaluateOptions
) -> _Found:
    """Compare all pixels of which a reference says something."""
    plane = at.source.geobox
    tolerance, aspect = _tolerance(options.boundary_tolerance, plane)
    evaluation = evaluate_blocks(
        at.source,
        truth,
        at.legend,
        confidence=at.confidence,
        inside=at.area,
        tolerance=tolerance,
        aspect=aspect,
        map_blocks=at.map_blocks,
    )
    more = (*truth.warnings, *of_boundaries(evaluation))
    return _Found(evaluation, more, plane.pixel_area_m2())


def _sample(
    at: ComparedMap, reference: Path, truth: Points, strata: Path | str | None
) -> _Found:
    """Compare points that were drawn, and say what they say of the whole map."""
    found = at.sample(reference, truth, Population.of(at.source, strata))
    more = (
        *_about_area(at.source.geobox),
        *of_strata(found.unsampled),
        *of_sample(found.estimates, at.legend, found.strata),
    )
    area = _mean_area(at.source, at.legend)
    return _Found(found.evaluation, more, area, found.estimates)


def beside_map(
    source: ClassMap, given: Path | str | None, lost: str
) -> tuple[ClassMap | None, tuple[str, ...]]:
    """Open the confidences, those beside the map if they are of it.

    Args:
        source: The map.
        given: The file that was named, if one was.
        lost: What is missing without confidences, for a warning.

    Raises:
        SceneError: The file that was named is not on the map's pixels.

    """
    path = Path(given) if given is not None else source.path.with_name(CONFIDENCE)
    if given is None and (not path.exists() or path == source.path):
        return None, ()
    raster = ClassMap.measures(path)
    if raster.geobox.same_plane_as(source.geobox):
        return raster, ()
    sentence = f"{path} does not have the pixels of the map {source.path}"
    if given is not None:
        raise SceneError(f"{sentence}; give the confidences that were made with it")
    return None, (f"{sentence}: {lost}",)


def _tolerance(text: str, geobox: GeoBox) -> tuple[float, float]:
    """Read the boundaries' tolerance, in pixels, and how many columns make a row.

    Metres are those on the ground, in hundredths of a pixel: 20 m are two pixels of
    10 m in UTM, whatever its scale factor.
    """
    length, aspect = read_length(text), 1.0
    tolerance = length.pixels
    if length.ground:
        ground = geobox.ground()
        tolerance = round(length.ground / math.sqrt(ground.pixel_m2), 2)
        aspect = ground.row_m / ground.column_m
        aspect = aspect if abs(aspect - 1) > _SQUARE else 1.0
    if tolerance > _WIDEST:
        raise LabelsError(
            f"boundaries that are {text} apart ({tolerance:.3g} pixels) do not agree; "
            f"the tolerance is at most {_WIDEST} pixels"
        )
    return tolerance, aspect


def _refuse_estimates(reference: Path | str, options: EvaluateOptions) -> None:
    if options.stratified:
        raise LabelsError(
            f"a stratified estimate needs points that were drawn within the map's "
            f"classes (geoseg sample-points draws them), but {reference} covers ground"
        )


def _about_area(geobox: GeoBox) -> tuple[str, ...]:
    uneven = geobox.ground_field().unevenness
    if uneven < _UNEVEN:
        return ()
    return (
        (
            f"the map's pixels differ in area on the ground by up to {uneven:.1%}: "
            f"hectares are those of pixels of the mean size; for exact ones map in an "
            f"equal-area CRS"
        ),
    )


def _mean_area(source: ClassMap, legend: Legend) -> float:
    """Square metres of a pixel on the ground, on average of those that have a class."""
    found = source.extents()
    there = [found[each.id] for each in legend if each.id in found]
    return sum(each.area_m2 for each in there) / sum(each.pixels for each in there)
