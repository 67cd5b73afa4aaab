"""What a run will cost, before it is begun: plan().

Counts come from the plan, by arithmetic. Memory is what this process has held once the
model has predicted, plus what blocks in flight, products and polygons add. Time is
extrapolated from a second of this model on this device and some blocks of the scene,
and for what comes after from the polygons of a few tiles: see `samples` and
`stage_time`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from tempfile import gettempdir
from typing import TYPE_CHECKING

from geoseg.diagnose.cost import cost_of, seconds_with
from geoseg.diagnose.empty_tiles import empty_tiles, estimated_empty_tiles
from geoseg.diagnose.rates import rates_of_this_machine, slowness
from geoseg.diagnose.samples import for_samples, sampled
from geoseg.diagnose.stage_time import seconds_by_stage
from geoseg.errors import InputError, json_text
from geoseg.options import SegmentOptions
from geoseg.overlay.aoi import read_features
from geoseg.predict.normalise import bytes_to_measure, estimated
from geoseg.run.arrays import as_inputs, each_as_inputs
from geoseg.run.cluster.memory import most_held, still_free
from geoseg.run.disk_space import run_directory_bytes
from geoseg.run.resolve import prepare
from geoseg.run.resources import (
    block_bytes,
    largest_bytes,
    polygon_bytes,
    product_bytes,
    shortages,
    vector_bytes,
    waiting_bytes,
)
from geoseg.storage.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geoseg.overlay.aoi import Area
    from geoseg.predict import Compute
    from geoseg.run.arrays import Image
    from geoseg.scene import Inputs


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run is going to do, take and leave."""

    scene_pixels: int
    """Pixels of the scene."""
    map_pixels: int
    """Pixels of the output rasters: the AOI's box, or its features' boxes."""
    tiles: int
    """Tiles that touch the AOI."""
    tiles_outside: int
    """Tiles of the scene that do not touch it: skipped, exactly so many."""
    tiles_empty: int | None
    """Tiles that touch the AOI and hold no data, which are skipped too; None where
    that is not known without reading the scene."""
    tiles_empty_is_exact: bool
    """Whether the scene was read for it, or only its overviews."""
    blocks: int
    """Blocks that are worked on one by one."""
    block_side: int
    """Side of a block in pixels, without what it shares with its neighbours."""
    overlap_cost: float
    """How many pixels the model sees for each of the tiles' cores."""
    peak_memory_bytes: int
    """What this process holds at most."""
    polygons_memory_bytes: int
    """The part of it that is for polygons, if the map is like a few of its tiles."""
    largest_polygon_bytes: int
    """The part of that for one polygon, if it runs through the whole map as the largest
    runs through a tile."""
    worker_memory_bytes: int | None
    """What each worker process holds at most; None where there are none."""
    free_memory_bytes: int
    """What this process may still take now, beside what it has."""
    polygons_disk_bytes: int
    """What polygons take of the output's disk until they are written."""
    run_directory_bytes: int
    """What the run directory holds at most, until the products are complete."""
    rasters_bytes: int
    """Size of all rasters at most; compression makes them smaller."""
    vectors_bytes: int
    """Size of all vector files, if the map is like a few of its tiles."""
    seconds_per_tile: float
    """Measured, on this device."""
    statistics_bytes: int
    """What is read first, where a model is normalised by the scene's own statistics
    and these are not known yet; 0 else. The time for it is not counted."""
    seconds: float
    """Time until all products are written, by one process."""
    seconds_by_stage: dict[str, float]
    """The parts of it, named as in a report's ``timings_s``."""
    device: str
    """What computes."""
    precision: str
    """What it computes in."""
    reason: str
    """Why the precision is what it is."""
    warnings: tuple[str, ...]
    """Where memory or disk may not do, and the option that helps: a sentence each."""
    workers: int = 0
    """How many workers were asked for."""
    seconds_with_workers: float | None = None
    """Time with so many, each as fast as what was measured; None without any."""
    measured_worker: str = ""
    """What was measured: a GPU, or a worker's share of this machine's cores."""
    cost: float | None = None
    """What they cost for that time, where their price was given, in its currency."""

    def to_json(self) -> str:
        """Write the forecast as one JSON object."""
        return json_text(asdict(self))


def plan(  # noqa: PLR0913  # what segment takes, and how it is forecast
    scene: Image,
    output: Path | str | None = None,
    *,
    aoi: Area | None = None,
    field: str | None = None,
    options: SegmentOptions | None = None,
    exact: bool = False,
    price: float | None = None,
    tile_seconds: float | None = None,
) -> Forecast:
    """Return what `geoseg.segment` with the same arguments will cost; map nothing.

    Args:
        scene: What to map, as `geoseg.segment` takes it.
        output: The directory for the products; nothing is written. It is not looked at
            where None.
        aoi: The area, as `geoseg.segment` takes it; the whole scene where None.
        field: What names the area's features, where each is to have a map of its own,
            as `geoseg.segment_features` takes it.
        options: Model, formats, tiles, device and so on.
        exact: Read the scene to count the tiles without data, instead of
            estimating them from its overviews.
        price: What a worker costs for an hour, in any currency.
        tile_seconds: What a worker takes for a tile, where that was measured on a
            machine like theirs: ``seconds_per_tile`` of a forecast there. As measured
            here where None.

    Raises:
        InputError: Something given cannot be used.

    """
    if field is not None and aoi is None:
        raise InputError("`field` needs the features of an `aoi`")
    with as_inputs(scene, options or SegmentOptions()) as (inputs, chosen):
        found = _forecast(inputs, output, (aoi, field), chosen, exact=exact)
    return _priced(found, chosen.workers or 0, price, tile_seconds)


def _priced(
    found: Forecast, workers: int, price: float | None, tile_seconds: float | None
) -> Forecast:
    """Add what a run takes with some workers, and what they cost."""
    if price is not None and not 0 <= price < math.inf:
        raise InputError(f"`price` is what a worker costs for an hour, got {price:g}")
    seconds, stages, measured = found.seconds, found.seconds_by_stage, None
    if tile_seconds is not None:
        if not (0 < tile_seconds < math.inf and workers):
            raise InputError(
                f"`tile_seconds` is what one of the `workers` takes for a tile, got "
                f"{tile_seconds:g} and {workers} workers; give both"
            )
        inferred = found.tiles - (found.tiles_empty or 0)
        stages = {**stages, "infer": inferred * tile_seconds}
        measured = f"a device that takes {tile_seconds:g} s for a tile"
    if workers:
        seconds = seconds_with(stages, found.blocks, workers)
    return replace(
        found,
        measured_worker=measured or found.measured_worker,
        workers=workers,
        seconds_with_workers=seconds if workers else None,
        cost=None if price is None else cost_of(seconds, workers, price),
    )


def _forecast(
    scene: Inputs,
    output: Path | str | None,
    features_of: tuple[Area | None, str | None],
    options: SegmentOptions,
    *,
    exact: bool,
) -> Forecast:
    (aoi, field), target = features_of, Output.of(output or gettempdir())
    config = prepare(
        scene, target, aoi, options, measured_by=estimated, tried_by=for_samples
    )
    empty = empty_tiles(config) if exact else estimated_empty_tiles(config)
    slow = slowness()
    found = sampled(config, slow)
    busy = found.busy
    polygons = polygon_bytes(config, busy)
    held = max(most_held(), found.held)
    inferring = held + block_bytes(config)
    elsewhere = bool(config.options.workers or config.options.scheduler)
    here = held if elsewhere else inferring
    laid, axis = config.plan, config.plan.lattice.rows
    mapped = laid.area.pixels
    if aoi is not None and field is not None:
        features = read_features(aoi, field, config.scene.geobox)
        mapped = sum(feature.window.pixels for feature in features.values())
    inferred = laid.tiles - (empty or 0)
    compute = config.predictor.compute
    rates = rates_of_this_machine(config.options.vector_formats)
    stages = seconds_by_stage(config, found, rates, inferred, mapped, slow)
    return Forecast(
        scene_pixels=laid.geobox.height * laid.geobox.width,
        map_pixels=mapped,
        tiles=laid.tiles,
        tiles_outside=laid.skipped,
        tiles_empty=empty,
        tiles_empty_is_exact=exact,
        blocks=len(laid.blocks),
        block_side=axis.block * axis.step,
        overlap_cost=(axis.tile / axis.step) ** 2,
        peak_memory_bytes=here + product_bytes(config) + polygons,
        polygons_memory_bytes=polygons,
        largest_polygon_bytes=largest_bytes(config, busy),
        worker_memory_bytes=inferring if elsewhere else None,
        free_memory_bytes=still_free(),
        polygons_disk_bytes=waiting_bytes(config, busy),
        run_directory_bytes=run_directory_bytes(config),
        rasters_bytes=config.layers.count * mapped,
        vectors_bytes=vector_bytes(config, busy),
        seconds_per_tile=found.seconds_per_tile,
        statistics_bytes=bytes_to_measure(config.predictor, config.scene),
        seconds=sum(stages.values()),
        seconds_by_stage=stages,
        device=compute.device,
        precision=compute.precision,
        reason=compute.reason,
        warnings=tuple(shortages(config, busy)),
        measured_worker=_measured(compute),
    )


def _measured(compute: Compute) -> str:
    """Say what a worker is that was timed here."""
    if compute.device != "cpu":
        return f"a device like this one ({compute.device})"
    cores = compute.streams * compute.threads
    return f"{cores} core{'s' * (cores > 1)} like this machine's"


def plan_each(  # noqa: PLR0913  # what plan takes
    scenes: Sequence[Image],
    output: Path | str | None = None,
    *,
    aoi: Area | None = None,
    options: SegmentOptions | None = None,
    exact: bool = False,
    price: float | None = None,
    tile_seconds: float | None = None,
) -> dict[str, Forecast]:
    """Return what `geoseg.segment_each` with the same arguments will cost.

    Args:
        scenes: The scenes, each as `geoseg.segment` takes one.
        output: The directory for the scenes' folders; nothing is written.
        aoi: The area, as `geoseg.segment` takes it; it lies on every scene.
        options: Model, formats, tiles, device and so on.
        exact: Read the scenes to count the tiles without data.
        price: What a worker costs for an hour, in any currency.
        tile_seconds: What a worker takes for a tile, where that was measured on a
            machine like theirs: ``seconds_per_tile`` of a forecast there. As measured
            here where None.

    Returns:
        What each scene will cost, by the name of its folder.

    Raises:
        InputError: Something given cannot be used.

    """
    folder = str(output or gettempdir()).rstrip("/")
    with each_as_inputs(scenes, options or SegmentOptions()) as given:
        return {
            name: _priced(
                _forecast(inputs, f"{folder}/{name}", (aoi, None), chosen, exact=exact),
                chosen.workers or 0,
                price,
                tile_seconds,
            )
            for name, (inputs, chosen) in given.items()
        }
