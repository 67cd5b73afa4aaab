"""How much of a disk a run takes at most: what a forecast and a full disk say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.storage.full_disk import needing

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from geoseg.run.configuration import RunConfig


def strip_share(config: RunConfig) -> float:
    """The part of a block's pixels that it shares with its neighbours."""
    axis = config.plan.lattice.rows
    if len(config.plan.blocks) == 1:
        return 0.0
    side = axis.block * axis.step
    return 1 - ((side - axis.overlap) / (side + axis.overlap)) ** 2


def run_directory_bytes(config: RunConfig) -> int:
    """Parts, the uncompressed rasters that products are made from, and partials.

    Overviews take a third of a raster. All strips of a block wait for those of the next
    row of blocks: at most two rows of them are there.
    """
    plan, axis = config.plan, config.plan.lattice.rows
    rows = min(2 * axis.block * axis.step, plan.area.height)
    waiting = rows * plan.area.width * strip_share(config)
    held = config.layers.count * plan.area.pixels * (1 + 4 / 3)
    return int(held + waiting * (4 * config.predictor.planes + 1))


def need_reported(config: RunConfig) -> AbstractContextManager[None]:
    """Say how much a run takes in all where a disk is full inside this block."""
    rasters = config.layers.count * config.plan.area.pixels
    return needing(
        "the whole run, polygons and drafts of pictures aside,",
        lambda: run_directory_bytes(config) + rasters,
    )
