"""How many tiles touch the area but hold no data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.tiling import Block
    from geoseg.run.configuration import RunConfig


def empty_tiles(config: RunConfig) -> int:
    """Count the tiles that hold no data in the area, by reading it all."""

    def has_data(view: Window) -> bool:
        _, valid = config.scene.read(view, config.predictor.bands)
        return bool((valid & config.aoi.mask(view)).any())

    return sum(_empty_tiles(config, block, has_data) for block in config.plan.blocks)


def estimated_empty_tiles(config: RunConfig) -> int | None:
    """Count the tiles that hold no data in the scene's smallest useful overview."""
    coarse = config.scene.coarse_valid(config.predictor.bands)
    if coarse is None:
        return None
    parts = partial(_part, coarse, config.scene.geobox)
    return sum(
        _empty_in(config, block, parts(config.plan.lattice.block_view(block)), parts)
        for block in config.plan.blocks
    )


def _empty_in(
    config: RunConfig,
    block: Block,
    part: NDArray[np.bool_],
    parts: Callable[[Window], NDArray[np.bool_]],
) -> int:
    """Count a block's empty tiles: all at once where all of it is alike."""
    lattice = config.plan.lattice
    if part.all():
        return 0
    if not part.any() and config.aoi.fills(lattice.block_view(block)):
        return len(lattice.tiles(block))
    return _empty_tiles(config, block, lambda view: bool(parts(view).any()))


def _part(coarse: NDArray[np.bool_], geobox: GeoBox, view: Window) -> NDArray[np.bool_]:
    """Cut out what an overview shows of a window of the scene."""
    rows, cols = (
        slice(start * size // length, -(-stop * size // length))
        for (start, stop), size, length in zip(
            (view.rows, view.cols),
            coarse.shape,
            (geobox.height, geobox.width),
            strict=True,
        )
    )
    return coarse[rows, cols]


def _empty_tiles(
    config: RunConfig, block: Block, has_data: Callable[[Window], bool]
) -> int:
    """Count a block's tiles that touch the AOI and show no data in the scene."""
    plan = config.plan
    scene = Window(0, 0, plan.geobox.height, plan.geobox.width)
    return sum(
        not has_data(view)
        for tile in plan.lattice.tiles(block)
        if config.aoi.touches(plan.lattice.tile_view(tile))
        and (view := plan.lattice.tile_view(tile).intersection(scene))
    )
