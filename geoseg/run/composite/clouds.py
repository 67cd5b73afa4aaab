"""Clouds that another model sees: each date is mapped by itself, and masked by that."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, SceneError
from geoseg.options import SegmentOptions
from geoseg.progress import Clock, Step
from geoseg.raster import ClassMap
from geoseg.run.composite.prepare import hidden_classes
from geoseg.run.rasters import write_mask
from geoseg.run.resolve import prepare_mask
from geoseg.run.segment import infer_all, journal_of
from geoseg.scene.composite.dates import TimeRange
from geoseg.scene.composite.observations import when
from geoseg.storage.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client
    from numpy.typing import NDArray

    from geoseg.geo.windows import Window
    from geoseg.progress import OnStep
    from geoseg.run.composite.config import CompositeConfig
    from geoseg.scene.composite.observations import Observation


@dataclass(frozen=True, slots=True)
class CloudMask:
    """What a model saw of one date, as a class map on the scene's pixels."""

    path: Path
    """The class map."""
    window: Window
    """The scene's pixels that it covers; no others are asked for."""
    values: tuple[int, ...]
    """The classes that hide the ground."""

    def clear(self, window: Window) -> NDArray[np.bool_]:
        """Say where a window of the scene is clear; what has no class is."""
        clear = np.ones((window.height, window.width), np.bool_)
        seen = window.intersection(self.window)
        if seen is not None:
            classes = ClassMap.open(self.path).read(seen.relative_to(self.window))
            hidden = np.isin(classes, self.values)
            clear[seen.relative_to(window).slices()] = ~hidden
        return clear


@contextmanager
def masked(
    config: CompositeConfig, client: Client, on_step: OnStep
) -> Iterator[CompositeConfig]:
    """Map clouds date by date, each in a run of its own; give what is masked by them.

    The maps stay until the block is left without an error, so that what was stopped
    finds them again.
    """
    folder = config.path.with_name(f".{config.path.name}.geoseg-masks")
    looks, members = config.scene.observations, []
    with ExitStack() as stack:
        for number, look in enumerate(looks):
            note = f"masking {look.day} ({number + 1}/{len(looks)})"
            on_step(Step("mask", note=note))
            mask = _map(config, look, folder / str(look.day), client, stack, on_step)
            members += [replace(member, cover=mask) for member in look.members]
        yield replace(config, scene=replace(config.scene, members=tuple(members)))
    shutil.rmtree(folder, ignore_errors=True)


def _map(
    config: CompositeConfig,
    look: Observation,
    folder: Path,
    client: Client,
    stack: ExitStack,
    on_step: OnStep,
) -> CloudMask:
    """Map the clouds of one date."""
    acquired = [at for at in map(when, look.members) if at is not None]
    if not acquired:
        raise SceneError(
            f"{look.members[0].name} does not say when it was acquired, and a mask "
            f"model maps date by date; leave it out, or `mask_model`"
        )
    options = config.options
    scene = replace(
        options.scene,
        mosaic="newest",
        near=None,
        mask=(),
        datetime=str(TimeRange(min(acquired), max(acquired))),
    )
    chosen = SegmentOptions.of(
        options.execution(),
        force=options.force,
        scene=scene,
        model=options.mask_model,
        formats=(),
    )
    run = prepare_mask(
        config.scene.inputs, Output(folder), config.aoi_given, chosen, on_step
    )
    if run.scene.geobox != config.scene.geobox:
        raise InputError(
            f"the mask's model takes bands of {run.scene.geobox.gsd_m():.3g} m, and "
            f"the composite has pixels of {config.scene.geobox.gsd_m():.3g} m; choose "
            f"pixels for both with `resolution` or `like`"
        )
    journal = stack.enter_context(journal_of(run))
    infer_all(run, journal, client, Clock(), lambda s: on_step(replace(s, name="mask")))
    write_mask(run, journal)
    return CloudMask(run.mask_files[0], run.aoi.window, hidden_classes(options))
