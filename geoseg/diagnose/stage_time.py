"""How long each stage of a run takes: the model, and the products after it.

What is sampled from the scene, at the rates of this machine now: see `rates`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from geoseg.diagnose.rates import ROW
from geoseg.raster.extents import SQUARE
from geoseg.storage.vectors.formats import BY_NAME

if TYPE_CHECKING:
    from geoseg.diagnose.rates import Rates
    from geoseg.run.configuration import RunConfig
    from geoseg.run.samples import Busy, SceneSamples

_BEGIN, _VECTORIZE, _PREVIEW, _PAGE = 0.5, 0.5, 1.1, 1.9
"""Seconds that stages take to begin, on a core that nobody else uses: libraries and
kernels that they alone need are loaded meanwhile."""
_TRACED = 0.12
"""Vertices a pixel of a map of which none was sampled, as the sample's has."""


def seconds_by_stage(  # all that time depends on
    config: RunConfig,
    found: SceneSamples,
    rates: Rates,
    tiles: int,
    mapped: int,
    slow: float,
) -> dict[str, float]:
    """Seconds that each stage of a run takes by one process.

    Rasters grow, their lines are traced, and the scene is read for its pictures, while
    blocks are inferred: what is left of them then is a stage's.

    Args:
        config: The run.
        found: What was sampled of the scene.
        rates: How fast this machine makes products when nobody else uses it.
        tiles: How many go through the model.
        mapped: Pixels of the rasters.
        slow: How many times slower this machine is now than when nobody else uses it.

    """
    busy = found.busy
    infer = _BEGIN * slow + tiles * found.seconds_per_tile
    rasters = mapped * _of_rasters(config, busy, rates) * slow
    lines = mapped * _of_lines(config, busy, rates) * slow
    late = min(1.0, _last_rows(config) / config.plan.area.height)
    seen_coarse = all(raster.overviews for raster in config.scene.rasters)
    picture = 0.0 if seen_coarse else busy.read * mapped / (os.cpu_count() or 1)
    if _shares_cores(config):
        infer += (rasters + lines) * (1 - late) + picture
    stages = {"infer": infer, "raster": max(rasters * late, rasters - infer)}
    if config.options.vector_formats:
        each = _of_polygons(config, busy, rates)
        stages["vectorize"] = (_VECTORIZE + mapped * each) * slow
        stages["vectorize"] += max(lines * late, lines - infer)
    stages["preview"] = _PREVIEW * slow + max(0.0, picture - infer)
    if config.options.report_size:
        stages["page"] = _PAGE * slow
    return stages


def _of_rasters(config: RunConfig, busy: Busy, rates: Rates) -> float:
    """Seconds that a pixel takes of all rasters."""
    corners = busy.traced or _TRACED
    return config.layers.count * rates.raster + corners * rates.bordered


def _of_lines(config: RunConfig, busy: Busy, rates: Rates) -> float:
    """Seconds that a pixel takes until its lines are traced, by all cores."""
    if not config.options.vector_formats:
        return 0.0
    return (rates.labelled + busy.traced * rates.traced) / (os.cpu_count() or 1)


def _of_polygons(config: RunConfig, busy: Busy, rates: Rates) -> float:
    """Seconds that a pixel takes from there until it is in all vector files."""

    def units(per_polygon: int) -> float:
        return busy.vertices + per_polygon * busy.polygons

    written = sum(
        units(BY_NAME[name].vertices_per_polygon) * rates.written[name]
        for name in config.options.vector_formats
    )
    return busy.traced * rates.laid_out + units(ROW) * rates.drawn + written


def _shares_cores(config: RunConfig) -> bool:
    """Whether what is made beside the inference takes cores from it."""
    elsewhere = config.options.workers or config.options.scheduler
    return config.predictor.compute.device == "cpu" and not elsewhere


def _last_rows(config: RunConfig) -> int:
    """Rows that are not final before the last block is done, about."""
    axis = config.plan.lattice.rows
    return axis.block * axis.step + SQUARE
