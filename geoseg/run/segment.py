"""Compose the rooms into jobs: segment(), and of features, too."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.errors import InputError
from geoseg.options import SegmentOptions
from geoseg.overlay.aoi import read_features
from geoseg.progress import Clock, OnStep, Step, entered, ignore_step
from geoseg.run.arrays import as_inputs
from geoseg.run.beside import made_beside
from geoseg.run.cluster import (
    Patience,
    dashboard_of,
    default_workers,
    open_client,
)
from geoseg.run.deliver import (
    assessment_doubts,
    assessment_of,
    deliver,
    deliver_mask,
    finished_report,
)
from geoseg.run.disk_space import need_reported
from geoseg.run.engine import Progress, run
from geoseg.run.job import tasks_at_once
from geoseg.run.journal.journal import Journal, open_journal
from geoseg.run.overwrite import check_products
from geoseg.run.rasters import write_mask
from geoseg.run.reassess import reassess
from geoseg.run.resolve import prepare
from geoseg.run.resources import shortages
from geoseg.run.samples import Busy, known_samples
from geoseg.run.stages import Passage
from geoseg.run.tasks import SegmentJob
from geoseg.run.trace import traced
from geoseg.scene import absolute, check_near, several
from geoseg.search.saved_items import ITEMS, kept_items, signing
from geoseg.storage.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from distributed import Client
    from xarray import DataArray

    from geoseg.overlay.aoi import Area
    from geoseg.progress import Timeline
    from geoseg.report.report import Report
    from geoseg.run.configuration import RunConfig
    from geoseg.scene import Inputs, Scene
    from geoseg.search.search import Search

_LOG = logging.getLogger(__name__)


def segment(
    scene: Inputs | Scene | DataArray | Search,
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: SegmentOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Report:
    """Turn a scene into a land-cover map: rasters, polygons, preview and report.

    The output directory gets ``landcover.tif`` (class ids, nodata 255),
    ``confidence.tif`` (percent, nodata 255), ``landcover.<format>``,
    ``preview.png``, ``report.html`` and ``run.json``. An unfinished run is taken up
    where it stopped when the same call is made again; one that is finished is not done
    again.

    Args:
        scene: Rasters with the bands that the model needs: files, folders, patterns,
            lists, URLs; several become one mosaic. Or a `geoseg.Scene`, or an
            `xarray.DataArray` of shape ``(band, y, x)`` with a CRS and band names. Or
            a `geoseg.Search`, whose items are kept in the output as ``items.json``.
        output: The directory for the products, made where it does not exist; or a
            URL of an object store, ``s3://bucket/folder``, where all of them appear
            when they are whole.
        aoi: What to map no more than: a vector file of polygons in any CRS, one
            of its layers (``file.gpkg|layer=name``), WKT, or a bounding box
            ``west,south,east,north``; the last two in WGS 84, or in the CRS before
            a semicolon (``EPSG:32633;...``). Or a GeoDataFrame, a GeoSeries, or a
            shapely geometry in WGS 84. The whole scene where None.
        options: What else can be chosen, each a keyword of `geoseg.SegmentOptions`,
            whose `help` lists them: ``model`` (a name or a folder; the shipped one for
            Sentinel-2 if none is given), ``formats`` of the polygons, ``device``,
            ``tile``, ``workers`` and so on.
        on_step: Called as the job gets on, from the calling thread, with a
            `geoseg.Step`.

    Returns:
        What ``run.json`` holds: areas of the classes, paths of the products, settings.
        ``open()`` gives the map as a DataArray, ``open("confidence")`` its confidence,
        and ``polygons()`` a GeoDataFrame.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        RunError: Something failed on the way; the same call resumes.

    Example:
        >>> import geoseg
        >>> options = geoseg.SegmentOptions(formats="gpkg", device="cpu")
        >>> report = geoseg.segment(
        ...     "scene.tif", "out", aoi="aoi.geojson", options=options
        ... )  # doctest: +SKIP
        >>> classes = report.open()  # doctest: +SKIP
        >>> {each.name: each.area_ha for each in report.class_areas}  # doctest: +SKIP

    """
    plain = options or SegmentOptions()
    asked = replace(plain, scene=signing(scene, plain.scene))
    with (
        _found(scene, output, aoi, asked, on_step) as image,
        as_inputs(image, asked) as (inputs, chosen),
    ):
        return _segment(inputs, output, aoi, chosen, on_step)


def _found(
    scene: Inputs | Scene | DataArray | Search,
    output: Path | str,
    aoi: Area | None,
    options: SegmentOptions,
    on_step: OnStep,
) -> AbstractContextManager[Inputs | Scene | DataArray]:
    """Give a scene as it is, or the items that a search finds, in the output."""
    check_near(options.scene)  # before anybody is asked
    folder = Output.of(output)
    folder.check()
    return kept_items(
        scene,
        f"{folder.url or folder.folder}/{ITEMS}",
        aoi,
        on_step,
        restart=options.restart,
        overwrite=options.overwrite,
    )


def _segment(
    scene: Inputs,
    output: Path | str,
    aoi: Area | None,
    options: SegmentOptions,
    on_step: OnStep,
) -> Report:
    if options.scheduler is not None:
        scene, output, options = for_cluster(scene, output, options)
    target = Output.of(output)
    with traced(options.trace) as timeline:
        clock = Clock(timeline=timeline)
        config = resolved(scene, target, aoi, options, clock, on_step)
        return _run(config, clock, on_step)


def _run(config: RunConfig, clock: Clock, on_step: OnStep) -> Report:
    """Make a map that is resolved, unless it is there."""
    with config.output.claimed():
        done = done_already(config, on_step)
        if done is not None:
            return done
        with client_of([config], on_step, clock.timeline) as client:
            return finish(config, client, clock, on_step)


def segment_features(  # what segment takes, and the field
    scene: Inputs | Scene | DataArray | Search,
    output: Path | str,
    *,
    aoi: Area,
    field: str,
    options: SegmentOptions | None = None,
    on_step: OnStep = ignore_step,
) -> dict[str, Report]:
    """Make a map of each feature of an area of interest, in one run.

    The run is one over all features, so a tile that several share is inferred once;
    each feature's map is what `segment` gives for that feature alone, in a folder of
    its own in the output directory.

    Args:
        scene: What to map, as `segment` takes it.
        output: The directory for the features' folders.
        aoi: A vector file of polygons, one of its layers, or a GeoDataFrame.
        field: The field whose values name the features; those of one name are one.
        options: Model, formats, tiles, device and so on.
        on_step: Called as the job gets on, from the calling thread.

    Returns:
        What each feature's ``run.json`` holds, by the name of its folder.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        RunError: Something failed on the way; the same call resumes.

    """
    plain = options or SegmentOptions()
    asked = replace(plain, scene=signing(scene, plain.scene))
    with (
        _found(scene, output, aoi, asked, on_step) as image,
        as_inputs(image, asked) as (inputs, chosen),
    ):
        return _segment_features(inputs, output, (aoi, field), chosen, on_step)


def _segment_features(
    scene: Inputs,
    output: Path | str,
    features_of: tuple[Area, str],
    options: SegmentOptions,
    on_step: OnStep,
) -> dict[str, Report]:
    if options.scheduler is not None:
        scene, output, options = for_cluster(scene, output, options)
    with traced(options.trace) as timeline:
        clock = Clock(timeline=timeline)
        return _run_features(scene, output, features_of, options, clock, on_step)


def _run_features(  # what segment takes, and the clock
    scene: Inputs,
    output: Path | str,
    features_of: tuple[Area, str],
    options: SegmentOptions,
    clock: Clock,
    on_step: OnStep,
) -> dict[str, Report]:
    aoi, field = features_of
    target = Output.of(output)
    if options.mask_model is not None and target.url is not None:
        raise InputError(
            "maps of features with a mask go to a disk only, and not to an object "
            "store; give a folder, or leave out the mask model"
        )
    config = resolved(scene, target, aoi, options, clock, on_step)
    features = read_features(aoi, field, config.scene.geobox)
    parts = {name: config.cut_to(area, name) for name, area in features.items()}
    for part in parts.values():
        check_products(part.output, scene, aoi, options)
    left_out = tuple(w for area in features.values() for w in area.warnings)
    on_step(Step("prepare", warnings=left_out))
    reports: dict[str, Report] = {}
    with (
        target.claimed(),
        client_of([config], on_step, clock.timeline) as client,
        journal_of(config) as journal,
        _masked(config, client, clock, on_step) as masked,
    ):
        on_step = _reporting(journal, on_step)
        counts = infer_all(config, journal, client, clock, on_step)
        deliver_mask(config, target.folder)
        for name, part in parts.items():
            on_step(Step("features", done=len(reports), total=len(features)))
            made = replace(part, mask_pixels=masked)
            with made_beside(made, journal) as beside:
                reports[name] = deliver(made, beside, counts, clock.copy(), ignore_step)
        _close(config, journal)
    return reports


def for_cluster(
    scene: Inputs, output: Path | str, options: SegmentOptions
) -> tuple[Inputs, str, SegmentOptions]:
    """Name everything so that workers find it, whatever folder they began in."""
    named: Inputs = [absolute(each) for each in several(scene)]
    if isinstance(scene, Mapping):
        named = {k: [absolute(each) for each in several(v)] for k, v in scene.items()}
    bands = tuple((name, absolute(file)) for name, file in options.scene.bands)
    directory = None if options.run_dir is None else absolute(options.run_dir)
    found = replace(
        options, scene=replace(options.scene, bands=bands), run_dir=directory
    )
    return named, absolute(output), found


def resolved(  # what segment takes
    scene: Inputs,
    output: Output,
    aoi: Area | None,
    options: SegmentOptions,
    clock: Clock,
    on_step: OnStep,
) -> RunConfig:
    """Resolve a run before it begins, and say how it will compute."""
    with clock("prepare"):
        config = prepare(scene, output, aoi, options, on_step)
    compute, plan = config.predictor.compute, config.plan
    _LOG.info(
        "%s on %s in %s, %s; %d tiles in %d blocks",
        ", ".join(each.name for each in config.packages),
        compute.device,
        compute.precision,
        compute.reason,
        plan.tiles,
        len(plan.blocks),
    )
    known = known_samples(config)  # of the same map, if it was planned
    short = shortages(config, Busy() if known is None else known.busy)
    on_step(Step("prepare", warnings=(*config.warnings, *short)))
    return config


@contextmanager
def client_of(
    configs: Sequence[RunConfig], on_step: OnStep, timeline: Timeline | None
) -> Iterator[Client]:
    """Open the client of some jobs with one model and the same options."""
    threads = tasks_at_once(remote=any(config.scene.is_remote for config in configs))
    config = configs[0]
    options, device = config.options, config.predictor.compute.device
    workers = default_workers(device) if options.workers is None else options.workers
    opening = open_client(
        workers,
        options.scheduler,
        device=device,
        threads=threads,
        patience=Patience.of(options.wait_for_workers, "prepare", on_step),
        certificates=options.certificates,
    )
    with entered(opening, "start workers", timeline) as client:
        on_step(Step("prepare", dashboard=dashboard_of(client)))
        yield client


def journal_of(config: RunConfig) -> AbstractContextManager[Journal]:
    """Open the journal of a run: take up what is unfinished, or begin."""
    directory, identity = config.run_directory, config.plan.identity
    return open_journal(
        directory,
        identity,
        restart=config.options.restart,
        output=config.output.destination(config.output.folder),
    )


def _reporting(journal: Journal, on_step: OnStep) -> OnStep:
    """Say each step also to whoever looks at the run directory."""

    def report(step: Step) -> None:
        journal.report(step=step.name)
        on_step(step)

    return report


def done_already(config: RunConfig, on_step: OnStep) -> Report | None:
    """Read the report of the very same run where it is finished, and say so."""
    report = finished_report(config)
    if report is not None and _is_news(config, report):
        return reassess(config, report, on_step)
    if report is not None:
        folder = config.output.destination(config.output.folder)
        on_step(
            Step(
                "prepare",
                note=f"{folder} holds this map already, of the same inputs and "
                f"settings: nothing was computed (`restart` makes it again)",
            )
        )
    return report


def _is_news(config: RunConfig, report: Report) -> bool:
    """Return whether more, or less, is known of a map's areas than its report says.

    Raises:
        InputError: What is known is of another map.

    """
    for doubt in assessment_doubts(config, report.class_areas):
        raise InputError(doubt)
    return assessment_of(config, report.class_areas) != report.assessment


def finish(
    config: RunConfig,
    client: Client,
    clock: Clock,
    on_step: OnStep,
    way: Passage | None = None,
) -> Report:
    """Run what is left of a config, and write its products.

    Args:
        config: What is resolved.
        client: Whose workers infer.
        clock: Measures the stages.
        on_step: Called as the job gets on.
        way: The stages that it shares with other runs on these workers, if any.

    """
    way = way or Passage()
    with (
        need_reported(config),
        journal_of(config) as journal,
        _masked(config, client, clock, on_step, way) as masked,
    ):
        on_step = _reporting(journal, on_step)
        config = replace(config, mask_pixels=masked)
        with made_beside(config, journal) as beside:
            follow = beside.following(on_step)
            counts = infer_all(config, journal, client, clock, follow, way)
            way.enter("deliver")
            report = deliver(config, beside, counts, clock, on_step)
        _close(config, journal)
    return report


@contextmanager
def _masked(
    config: RunConfig,
    client: Client,
    clock: Clock,
    on_step: OnStep,
    way: Passage | None = None,
) -> Iterator[Mapping[int, int]]:
    """Make the mask first, where there is one; its parts go when the map is there.

    Yields:
        How many pixels the mask has of each class.

    """
    mask = config.mask_run
    if mask is None:
        yield {}
        return

    def report_step(step: Step) -> None:
        on_step(replace(step, name="mask"))

    with journal_of(mask) as journal:
        with clock("mask"):
            infer_all(mask, journal, client, clock.copy(), report_step, way)
            pixels = write_mask(mask, journal)
        yield pixels
        shutil.rmtree(mask.mask_files[0].parent, ignore_errors=True)
        _close(mask, journal)


def _close(config: RunConfig, journal: Journal) -> None:
    if not config.options.keep_parts:
        journal.discard()


def infer_all(  # what a run is, who does it, and who is told
    config: RunConfig,
    journal: Journal,
    client: Client,
    clock: Clock,
    on_step: OnStep,
    way: Passage | None = None,
) -> Progress:
    """Infer what is left of a run's plan.

    Raises:
        RunError: A block failed, or no worker is left.
        ChangedError: The scene is not what it was when the run began.

    """
    source, predictor = config.as_read
    job = SegmentJob(
        plan=config.plan,
        source=source,
        predictor=predictor,
        area=config.aoi,
        blend=config.options.blend,
        layers=config.layers,
        store=journal.store,
        at_once=tasks_at_once(remote=config.scene.is_remote),
    )

    def show(progress: Progress) -> None:
        tiles, planned = progress.tiles, progress.tiles_planned
        on_step(progress.as_step("infer", tiles, planned, journal.warnings))

    with clock("infer"):
        progress = run(
            job,
            journal,
            client,
            show,
            allow_missing=config.options.allow_missing,
            patience=Patience.of(config.options.wait_for_workers, "infer", on_step),
            timeline=clock.timeline,
            way=way,
        )
    config.scene.check_unchanged()
    return progress
