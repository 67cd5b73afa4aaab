"""What a run will cost, before it is begun: forecast().

Counts come from the plan, by arithmetic. Memory is what this process holds once the
model has predicted, plus what blocks in flight add. Time is extrapolated from a few
tiles of noise, sent through this model on this device for two seconds.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.cluster import THREADS
from geoseg.grid import Window
from geoseg.predict import try_lanes
from geoseg.prepare import SegmentOptions, Setup, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MEASURED_S = 2.0
"""Seconds that the model is measured for."""
_WRITTEN_PX_S = 20e6
"""Pixels a second that are stitched and written, as measured on two cores."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run is going to do, take and leave."""

    scene_pixels: int
    """Pixels of the scene."""
    map_pixels: int
    """Pixels of the output rasters: the AOI's bounding box."""
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
    """What a process holds at most; each worker process needs as much."""
    run_directory_bytes: int
    """What the run directory holds at most, until the products are complete."""
    rasters_bytes: int
    """Size of both rasters at most; compression makes them smaller."""
    seconds_per_tile: float
    """Measured, on this device."""
    seconds: float
    """Time until the rasters are written, by one process."""
    device: str
    """What computes."""
    precision: str
    """What it computes in."""
    reason: str
    """Why the precision is what it is."""

    def to_json(self) -> str:
        """Write the forecast as one JSON object."""
        return json.dumps(asdict(self), indent=2)


def forecast(
    scene: Path | str,
    output: Path | str,
    *,
    aoi: Path | str | None = None,
    options: SegmentOptions | None = None,
    exact: bool = False,
) -> Forecast:
    """Tell what `geoseg.segment` with the same arguments will cost; map nothing.

    Args:
        scene: A raster with the bands that the model needs.
        output: The directory for the products; nothing is written.
        aoi: The area, as `geoseg.segment` takes it; the whole scene where None.
        options: Model, formats, tiles, device and so on.
        exact: Read the scene to count the tiles without data, instead of
            estimating them from its overviews.

    Raises:
        InputError: Something given cannot be used.

    """
    area = None if aoi is None else str(aoi)
    setup = prepare(Path(scene), Path(output), area, options or SegmentOptions())
    empty = _empty_tiles(setup) if exact else _estimated_empty_tiles(setup)
    seconds_per_tile = _measure(setup)
    plan, axis = setup.plan, setup.plan.lattice.rows
    inferred = plan.tiles - (empty or 0)
    compute = setup.predictor.compute
    return Forecast(
        scene_pixels=plan.georef.height * plan.georef.width,
        map_pixels=plan.area.pixels,
        tiles=plan.tiles,
        tiles_outside=plan.skipped,
        tiles_empty=empty,
        tiles_empty_is_exact=exact,
        blocks=len(plan.blocks),
        block_side=axis.block * axis.step,
        overlap_cost=(axis.tile / axis.step) ** 2,
        peak_memory_bytes=_held_bytes() + _block_bytes(setup),
        run_directory_bytes=_run_directory_bytes(setup),
        rasters_bytes=2 * plan.area.pixels,
        seconds_per_tile=seconds_per_tile,
        seconds=inferred * seconds_per_tile + plan.area.pixels / _WRITTEN_PX_S,
        device=compute.device,
        precision=compute.precision,
        reason=compute.reason,
    )


def _measure(setup: Setup) -> float:
    """Seconds that a tile takes in the model, the first batch not counted."""
    predictor, side = setup.predictor, setup.plan.lattice.rows.tile
    try_lanes(predictor, side, dtype=setup.scene.dtype)
    started, rounds = time.perf_counter(), 0
    while time.perf_counter() - started < _MEASURED_S:
        try_lanes(predictor, side, dtype=setup.scene.dtype)
        rounds += 1
    seconds = (time.perf_counter() - started) / rounds
    return seconds / (predictor.batch * predictor.lanes)


def _held_bytes() -> int:
    """What this process has held, libraries and the model at work included."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _block_bytes(setup: Setup) -> int:
    """What blocks in flight hold: all their pixels, and the scores of two."""
    plan, predictor = setup.plan, setup.predictor
    pixels = max(plan.lattice.block_view(block).pixels for block in plan.blocks)
    bands = len(predictor.bands)
    read = bands * (np.dtype(setup.scene.dtype).itemsize + 1) + 2  # and their masks
    files = 2 + _strip_share(setup) * (4 * predictor.classes + 1)
    return int(pixels * (THREADS * (read + files) + 2 * 4 * predictor.classes))


def _strip_share(setup: Setup) -> float:
    """The part of a block's pixels that it shares with its neighbours."""
    axis = setup.plan.lattice.rows
    if len(setup.plan.blocks) == 1:
        return 0.0
    side = axis.block * axis.step
    return 1 - ((side - axis.overlap) / (side + axis.overlap)) ** 2


def _run_directory_bytes(setup: Setup) -> int:
    """Parts, the uncompressed raster that the product is made from, and strips.

    Strips wait for the next row of blocks: about one row of them is there.
    """
    plan, axis = setup.plan, setup.plan.lattice.rows
    rows = min(axis.block * axis.step, plan.area.height)
    waiting = rows * plan.area.width * _strip_share(setup)
    return int(3 * plan.area.pixels + waiting * (4 * setup.predictor.classes + 1))


def _empty_tiles(setup: Setup) -> int:
    """Count the tiles that hold no data in the area, by reading it all."""

    def has_data(view: Window) -> bool:
        _, valid = setup.scene.read(view, setup.predictor.bands)
        return bool((valid & setup.aoi.mask(view)).any())

    return _count_empty(setup, has_data)


def _estimated_empty_tiles(setup: Setup) -> int | None:
    """Count the tiles that hold no data in the scene's smallest useful overview."""
    coarse = setup.scene.coarse_valid(setup.predictor.bands)
    if coarse is None:
        return None
    return _count_empty(setup, lambda view: _any_in(coarse, view, setup))


def _any_in(coarse: NDArray[np.bool_], view: Window, setup: Setup) -> bool:
    georef = setup.scene.georef
    part = tuple(
        slice(start * size // length, -(-stop * size // length))
        for (start, stop), size, length in zip(
            (view.rows, view.cols),
            coarse.shape,
            (georef.height, georef.width),
            strict=True,
        )
    )
    return bool(coarse[part].any())


def _count_empty(setup: Setup, has_data: Callable[[Window], bool]) -> int:
    """Count the tiles that touch the AOI and show no data inside the scene."""
    plan = setup.plan
    scene = Window(0, 0, plan.georef.height, plan.georef.width)
    return sum(
        not has_data(view)
        for block in plan.blocks
        for tile in plan.lattice.tiles(block)
        if setup.aoi.touches(plan.lattice.tile_view(tile))
        and (view := plan.lattice.tile_view(tile).intersection(scene))
    )
