"""Many dates on disk to one cloudless image: composite()."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.options import CompositeOptions
from geoseg.progress import Clock, OnStep, Step, entered, ignore_step
from geoseg.run.cluster import Patience, dashboard_of, open_client
from geoseg.run.cluster.memory import large_arrays_given_back
from geoseg.run.composite.job import CompositeJob
from geoseg.run.composite.prepare import prepare_composites, target
from geoseg.run.composite.products import (
    CompositeReport,
    finished_composite,
    write_composite,
)
from geoseg.run.engine import run
from geoseg.run.job import tasks_at_once
from geoseg.run.journal.journal import open_journal
from geoseg.run.trace import traced
from geoseg.scene import absolute, check_near, several
from geoseg.search.saved_items import ITEMS, kept_items, signing
from geoseg.storage.full_disk import needing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from distributed import Client

    from geoseg.overlay.aoi import Area
    from geoseg.progress import Timeline
    from geoseg.run.composite.config import CompositeConfig
    from geoseg.run.engine import Progress
    from geoseg.run.journal.journal import Journal
    from geoseg.scene import Inputs
    from geoseg.search.search import Search
    from geoseg.storage.output import Output

_BESIDE = 6
"""Bytes a pixel of the counts and dates of a composite."""


def composite(
    scene: Inputs | Search,
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: CompositeOptions | None = None,
    on_step: OnStep = ignore_step,
) -> tuple[CompositeReport, ...]:
    """Make one image of the clear pixels of many dates.

    The output is a Cloud Optimized GeoTIFF that every command takes as a scene. Beside
    ``composite.tif`` stand ``composite_count.tif``, how many dates are clear at each
    pixel; where each pixel is one date's, ``composite_date.tif``, which one (20240715);
    and ``composite.tif.json``, what it was made of. An unfinished one is taken up where
    it stopped when the same call is made again; one that is finished is not made again.

    Args:
        scene: Imagery of several dates: files, folders, patterns, STAC items,
            Sentinel-2 products, URLs, as `open_scene` takes them. Or a
            `geoseg.Search`, whose items are kept as ``composite_items.json``.
        output: The GeoTIFF, on a disk or an object store: ``s3://bucket/may.tif``.
            With `period` it is one for each, named after it: ``may-2024-05.tif``.
        aoi: No more than this is made, as `segment` takes it.
        options: By which rule, masked by what, of which dates.
        on_step: Called as the job gets on, from the calling thread.

    Returns:
        What was made, for each period; of one, where none is asked for.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        RunError: Something failed on the way; the same call resumes.

    Example:
        >>> import geoseg
        >>> made = geoseg.composite(
        ...     "items.json", "may.tif", options=geoseg.CompositeOptions(period="month")
        ... )  # doctest: +SKIP

    """
    options = options or CompositeOptions()
    check_near(options.scene)  # before anybody is asked
    if options.scheduler is not None:
        output = absolute(output)
    file = target(output, options)
    found: AbstractContextManager[Inputs] = kept_items(
        scene,
        f"{file.url or file.folder}/{file.path.stem}_{ITEMS}",
        aoi,
        on_step,
        restart=options.restart,
        overwrite=options.overwrite,
    )
    options = replace(options, scene=signing(scene, options.scene))
    with found as inputs:
        return _composite(inputs, file, aoi, options, on_step)


def _composite(
    scene: Inputs,
    output: Output,
    aoi: Area | None,
    options: CompositeOptions,
    on_step: OnStep,
) -> tuple[CompositeReport, ...]:
    with traced(options.trace) as timeline:
        clock = Clock(timeline=timeline)
        return _make_all(scene, output, aoi, options, clock, on_step)


def _make_all(  # what composite takes, and the clock
    scene: Inputs,
    output: Output,
    aoi: Area | None,
    options: CompositeOptions,
    clock: Clock,
    on_step: OnStep,
) -> tuple[CompositeReport, ...]:
    if options.scheduler is not None:
        scene = [absolute(each) for each in several(scene)]
    with clock("prepare"):
        configs = prepare_composites(scene, output, aoi, options, on_step)
    on_step(Step("prepare", warnings=configs[0].scene.warnings))
    with ExitStack() as stack:
        for config in configs:
            stack.enter_context(config.output.claimed())
        made = {config.path: finished_composite(config) for config in configs}
        left = [config for config in configs if made[config.path] is None]
        if len(left) < len(configs):
            on_step(Step("prepare", note=_counted(len(configs) - len(left), configs)))
        if left:
            client = stack.enter_context(_client(left, on_step, clock.timeline))
            made |= {c.path: _make(c, client, clock.copy(), on_step) for c in left}
        return tuple(each for each in made.values() if each is not None)


def _counted(finished: int, configs: list[CompositeConfig]) -> str:
    which = "the composite is" if len(configs) == 1 else f"{finished} composites are"
    return (
        f"{which} there already, of the same inputs and settings: nothing was computed "
        f"for that (`restart` makes it again)"
    )


def _at_once(*, remote: bool) -> int:
    """How many blocks of a process are under way: none of them waits for a device."""
    most = tasks_at_once(remote=remote)
    return most if remote else min(most, os.cpu_count() or 1)


@contextmanager
def _client(
    configs: list[CompositeConfig], on_step: OnStep, timeline: Timeline | None
) -> Iterator[Client]:
    """Open the client that makes some composites."""
    remote = any(config.scene.is_remote for config in configs)
    options = configs[0].options
    opening = open_client(
        options.workers or 0,
        options.scheduler,
        threads=_at_once(remote=remote),
        patience=Patience.of(options.wait_for_workers, "prepare", on_step),
        certificates=options.certificates,
    )
    with entered(opening, "start workers", timeline) as client:
        on_step(Step("prepare", dashboard=dashboard_of(client)))
        yield client


def _make(
    config: CompositeConfig, client: Client, clock: Clock, on_step: OnStep
) -> CompositeReport:
    """Make what is left of a composite, and write its files."""
    directory, options = config.run_directory, config.options
    with (
        needing("the whole composite", lambda: _bytes_of(config)),
        open_journal(
            directory,
            config.plan.identity,
            restart=options.restart,
            output=config.output.destination(config.path),
        ) as journal,
    ):
        journal.report(step="composite")
        with clock("composite"), _masked(config, client, on_step) as chosen:
            progress = _run(chosen, journal, client, clock, on_step)
        journal.report(step="raster")
        with clock("raster"), large_arrays_given_back():
            on_step(Step("raster"))
            report = write_composite(config, journal, progress, clock.seconds)
            config.output.publish()
        if not options.keep_parts:
            journal.discard()
    return report


def _bytes_of(config: CompositeConfig) -> int:
    """Give the bytes of parts, of the rasters made of them, and of these compressed."""
    each = len(config.bands) * np.dtype(config.stored[0]).itemsize
    return 3 * config.plan.area.pixels * (each + _BESIDE)


def _masked(
    config: CompositeConfig, client: Client, on_step: OnStep
) -> AbstractContextManager[CompositeConfig]:
    """Have a model mask each date, where one is to."""
    if config.options.mask_model is None:
        return nullcontext(config)
    from geoseg.run.composite.clouds import masked  # noqa: PLC0415  # torch, 800 MB

    return masked(config, client, on_step)


def _run(
    config: CompositeConfig,
    journal: Journal,
    client: Client,
    clock: Clock,
    on_step: OnStep,
) -> Progress:
    """Walk the plan with the engine of all runs."""
    job = CompositeJob(
        plan=config.plan,
        scene=config.scene,
        bands=config.bands,
        area=config.area,
        store=journal.store,
        at_once=_at_once(remote=config.scene.is_remote),
    )

    def show(progress: Progress) -> None:
        blocks, planned = progress.blocks, progress.blocks_planned
        on_step(progress.as_step("composite", blocks, planned, journal.warnings))

    found = run(
        job,
        journal,
        client,
        show,
        allow_missing=config.options.allow_missing,
        patience=Patience.of(config.options.wait_for_workers, "composite", on_step),
        timeline=clock.timeline,
    )
    config.scene.check_unchanged()
    return found
