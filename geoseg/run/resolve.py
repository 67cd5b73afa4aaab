"""Resolve everything of a run before it begins; refuse here what cannot be."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import InputError, listed
from geoseg.geo.tiling import Lattice, check_tile
from geoseg.models.compatibility import (
    Models,
    check_scale,
    in_models_unit,
    on_models_grid,
)
from geoseg.models.open_inputs import open_for
from geoseg.models.package.trial import output_doubts
from geoseg.models.plausibility import check_values, doubts
from geoseg.options import NO_FORMAT, ComputeOptions, SegmentOptions
from geoseg.overlay.aoi import Aoi, read_aoi, whole_scene
from geoseg.predict import (
    AUGMENTATIONS,
    Compute,
    TilePredictor,
    probe,
    resolve_compute,
)
from geoseg.predict.normalise import Measure, by_scene, warn_of_reading
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster.relabelling import Relabelling, open_legend
from geoseg.report.assessed_areas import AssessedAreas, read_assessed_areas
from geoseg.run.configuration import RunConfig, legend_of, run_directory_of
from geoseg.run.identity import identify
from geoseg.run.journal.journal import identity_of
from geoseg.run.masking import Masking, plan_masking
from geoseg.run.overwrite import check_products
from geoseg.run.plan import lay_tiles, make_plan
from geoseg.scene.composite.observations import DATED, STACKED
from geoseg.scene.statistics import measure
from geoseg.storage.output import RUN_DIRECTORY, Output
from geoseg.storage.remote import without_secrets
from geoseg.storage.vectors.formats import FORMATS
from geoseg.storage.vectors.write import check_locatable
from geoseg.vectorize.drawing import Drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.legend import Legend
    from geoseg.models.package.package import ModelPackage
    from geoseg.overlay.aoi import Area
    from geoseg.predict.probe import Trial
    from geoseg.scene import Inputs, Scene


_OF_SCORES = ("min_confidence", "entropy", "probabilities", "crf")
"""Options that need to know how sure a model is."""
_probed: Trial = lru_cache(maxsize=64)(probe)
"""The same models on tiles of the same side are tried once a process: of many scenes
each would take a tenth of a second."""


def prepare(  # noqa: PLR0913  # what segment takes, and how much may be read
    inputs: Inputs,
    output: Output,
    aoi_given: Area | None,
    options: SegmentOptions,
    on_step: OnStep = ignore_step,
    *,
    measured_by: Measure = measure,
    tried_by: Trial = _probed,
) -> RunConfig:
    """Check everything and plan the run; write nothing.

    A scene is read whole where a model is normalised by its statistics, or as far as
    `measured_by` does. The models are tried on a tile, or what `tried_by` does.

    Raises:
        InputError: Something given cannot be used.

    """
    _check_asked(options)
    output.check()
    check_products(output, inputs, aoi_given, options)
    scene, models = _open_to_scale(inputs, options, on_step)
    aoi = _area(scene, aoi_given, options)
    tile, overlap = _sides(models, options)
    legend = legend_of(models[0][0], options)
    masked = None
    if options.mask_model is not None:
        own = options.for_mask(scene.options)
        mask_run = prepare_mask(inputs, output, aoi_given, own, on_step, measured_by)
        masked = _masking(mask_run, scene, legend, options), mask_run
        legend = masked[0].legend
    relabelling = _relabelling(options, legend)
    assessed = _assessed(options, legend if relabelling is None else relabelling.legend)
    predictor = tried_by(_predictor(options, models), tile)
    lattice = lay_tiles(
        scene.geobox, aoi.window, tile=tile, overlap=overlap, block=options.block
    )
    lattice, kept = _keep_blocks(lattice, run_directory_of(output, options), options)
    reading = warn_of_reading(predictor, scene, aoi.window)
    if reading:
        on_step(Step("prepare", warnings=reading))
    predictor = by_scene(predictor, scene, on_step, measured_by)
    plan = make_plan(
        scene.geobox,
        lattice,
        area=aoi.window,
        touches=aoi.touches,
        fills=aoi.fills,
        identity=identify(scene, aoi, predictor, lattice, options, masked),
    )
    warnings = (
        *scene.warnings,
        *aoi.warnings,
        *doubts(models, scene),
        *(doubt for each, _ in models for doubt in output_doubts(each)),
        *reading,
        *kept,
        *(() if masked is None else masked[1].warnings),
        *(() if relabelling is None else relabelling.losses()),
    )
    return RunConfig(
        scene=scene,
        aoi=aoi,
        aoi_given=aoi_given,
        output=output,
        options=options,
        predictor=predictor,
        plan=plan,
        warnings=tuple(dict.fromkeys(warnings)),
        relabelling=relabelling,
        assessed=assessed,
        masking=masked[0] if masked else None,
        mask_run=masked[1] if masked else None,
    )


def _open_to_scale(
    inputs: Inputs, options: SegmentOptions, on_step: OnStep
) -> tuple[Scene, Models]:
    """Open scene and models, the scene on pixels and in units that the models take."""
    scene, models = _open(inputs, options, on_step)
    if options.resample:
        on_grid = on_models_grid(options.scene, models, scene)
        if on_grid != options.scene:
            scene, models = _open(inputs, replace(options, scene=on_grid), on_step)
    check_scale(models, scene)
    return in_models_unit(models, scene), models


def _area(scene: Scene, given: Area | None, options: SegmentOptions) -> Aoi:
    """Find what is mapped, where all formats that are asked for can say where it is."""
    if options.clip and given is None:
        raise InputError("there is no AOI to clip polygons to; give one, or no `clip`")
    plane = scene.geobox
    aoi = whole_scene(plane) if given is None else read_aoi(given, plane)
    aoi = _within_bounds(scene, aoi)
    formats = [FORMATS[name] for name in options.vector_formats]
    check_locatable(formats, plane.crop(aoi.window))
    return aoi


def _sides(models: Models, options: SegmentOptions) -> tuple[int, int]:
    """Give tile and overlap: as asked for, else the first model's; all must take it."""
    package = models[0][0]
    tile = package.tile if options.tile is None else options.tile
    overlap = package.overlap if options.overlap is None else options.overlap
    check_tile(tile, overlap, math.lcm(*(each.stride for each, _ in models)))
    return tile, overlap


def _masking(
    mask_run: RunConfig, scene: Scene, legend: Legend, options: SegmentOptions
) -> Masking:
    """Say what becomes of the pixels that a mask hides."""
    counted, keep = listed(options.mask_classes, "mask_classes"), options.mask_keep
    masking = plan_masking(counted, mask_run.package.legend, legend, keep=keep)
    _check_same_pixels(scene, mask_run.scene)
    return masking


def _open(
    inputs: Inputs, options: SegmentOptions, on_step: OnStep
) -> tuple[Scene, Models]:
    """Open scene and models, these with their temperatures or without."""
    scene, models = open_for(options.models, inputs, options.scene, on_step)
    _check_scores([package for package, _ in models], options)
    if options.no_calibration:
        models = [(replace(each, temperature=1.0), match) for each, match in models]
    return scene, models


def prepare_mask(
    inputs: Inputs,
    output: Output,
    aoi_given: Area | None,
    options: SegmentOptions,
    on_step: OnStep,
    measured_by: Measure = measure,
) -> RunConfig:
    """Resolve the run that makes the mask; its parts lie beside the map's."""
    beside = output.run_directory(f"{RUN_DIRECTORY}-mask")
    apart = replace(options, run_dir=beside) if options.run_dir is None else None
    chosen = apart or options.below("mask")
    run = prepare(inputs, output, aoi_given, chosen, on_step, measured_by=measured_by)
    _check_mask(run.package)
    if not options.force:
        for model in run.predictor.models:
            bands = [run.predictor.bands[index] for index in model.indices]
            check_values(model.package, bands, run.scene)
    return run


def _check_scores(packages: Sequence[ModelPackage], options: SegmentOptions) -> None:
    """Refuse what needs to know how sure a model is of one that does not say.

    Raises:
        InputError: It is asked for.

    """
    silent = [package.name for package in packages if not package.gives_scores]
    wanted = [name for name in _OF_SCORES if getattr(options, name)]
    if silent and wanted:
        raise InputError(
            f"the model {silent[0]} gives classes and no scores, and what says how "
            f"unsure a model is needs these ({', '.join(f'`{n}`' for n in wanted)}); "
            f"leave that out, or export the model without ArgMax"
        )


def _check_mask(package: ModelPackage) -> None:
    """Refuse a mask whose confidence, which is a product, is not known."""
    if not package.gives_scores:
        raise InputError(
            f"the model {package.name} gives classes and no scores, and a mask's "
            f"confidence is kept with it; export it without ArgMax for `mask_model`"
        )


def _check_same_pixels(scene: Scene, mask: Scene) -> None:
    """Refuse a mask on other pixels: its model takes other files of an item."""
    if mask.geobox != scene.geobox:
        raise InputError(
            f"the mask's model takes bands of {mask.geobox.gsd_m():.3g} m, the map's "
            f"those of {scene.geobox.gsd_m():.3g} m; choose pixels for both with "
            f"`resolution` or `like`"
        )


def _assessed(options: SegmentOptions, legend: Legend) -> AssessedAreas | None:
    """Read what is known of the map's areas, in its own classes."""
    if options.assessment is None:
        return None
    found = read_assessed_areas(Path(options.assessment))
    found.check_classes(each.name for each in legend)
    return found


def _relabelling(options: SegmentOptions, own: Legend) -> Relabelling | None:
    """Match a map's classes with the legend that was asked for, if one was.

    Polygons are drawn of its classes, or the map's own: that is checked as well.
    """
    found = None
    if options.legend is not None:
        found = Relabelling.of(own, open_legend(options.legend), "the map")
    Drawing.of(options.polygons, own if found is None else found.legend)
    return found


def _within_bounds(scene: Scene, aoi: Aoi) -> Aoi:
    """Map no more than the scene's bounds; the model still sees what is around."""
    if scene.area is None:
        return aoi
    inside = aoi.within(scene.area)
    if inside is None:
        raise InputError("the area of interest and `bounds` have no pixel in common")
    return inside


def _keep_blocks(
    lattice: Lattice, run_directory: str | Path, options: SegmentOptions
) -> tuple[Lattice, list[str]]:
    """Lay the blocks that an unfinished run began with; its files are theirs.

    They never show in the result, so that another wish is no reason to refuse it.
    """
    wanted = str(lattice.rows.block)
    begun = {} if options.restart else identity_of(run_directory)
    block = begun.get("block", wanted)
    if block == wanted:
        return lattice, []
    rows, cols = (
        replace(axis, block=int(block)) for axis in (lattice.rows, lattice.cols)
    )
    directory = without_secrets(run_directory)
    warning = (
        f"the unfinished run in {directory} keeps its blocks of {block} x {block} "
        f"tiles instead of {wanted} x {wanted}; the map is the same (`restart` would "
        f"begin again)"
    )
    return Lattice(rows, cols), [warning]


def _predictor(options: SegmentOptions, models: Models) -> TilePredictor:
    if options.tta not in AUGMENTATIONS:
        raise InputError(
            f"test-time augmentation is {', '.join(AUGMENTATIONS)}, got {options.tta!r}"
        )
    matched = [(package, match.indices) for package, match in models]
    packages = [package for package, _ in models]
    compute = _compute(options, packages, processes=options.workers or 1)
    return TilePredictor.of(matched, compute, options.tta, options.crf)


def _compute(
    options: ComputeOptions, packages: Sequence[ModelPackage], *, processes: int
) -> Compute:
    if options.batch is not None and options.batch < 1:
        raise InputError(f"a batch has at least one tile, got {options.batch}")
    exact = any(each.is_onnx or each.is_fitted for each in packages)
    if exact and options.precision not in {"auto", "float32"}:
        raise InputError(
            f"an ONNX model has a precision of its own and is given float32, as is one "
            f"fitted to pixels; leave out `precision={options.precision}`"
        )
    wants_float32 = any(each.precision == "float32" for each in packages)
    is_exact = exact or (wants_float32 and options.precision == "auto")
    return resolve_compute(
        options.device,
        "float32" if is_exact else options.precision,
        batch=options.batch,
        compiled=options.compile,
        processes=processes,
    )


def _check_asked(options: SegmentOptions) -> None:
    """Refuse what options alone show to be wrong."""
    formats = options.vector_formats
    unknown = [str(name) for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            f"unknown vector format: {', '.join(unknown)}; those known are "
            f"{', '.join(FORMATS)}, and {NO_FORMAT} for no polygons at all"
        )
    rule = options.scene.mosaic
    if options.mask_model is not None and rule in STACKED | DATED:
        raise InputError(
            f"`mask_model` maps clouds, which are of one date, and `mosaic={rule}` "
            f"puts dates together; make the composite first (geoseg composite has "
            f"`mask_model`, too, and maps each date), and map that"
        )
