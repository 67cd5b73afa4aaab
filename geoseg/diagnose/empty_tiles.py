"""How many tiles touch the area but hold no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.run.configuration import RunConfig


def empty_tiles(config: RunConfig) -> int:
    """Count the tiles that hold no data in the area, by reading it all."""

    def has_data(view: Window) -> bool:
        _, valid = config.scene.read(view, config.predictor.bands)
        return bool((valid & config.aoi.mask(view)).any())

    return _count_empty(config, has_data)


def estimated_empty_tiles(config: RunConfig) -> int | None:
    """Count the tiles that hold no data in the scene's smallest useful overview."""
    coarse = config.scene.coarse_valid(config.predictor.bands)
    if coarse is None:
        return None
    return _count_empty(config, lambda view: _any_in(coarse, view, config))


def _any_in(coarse: NDArray[np.bool_], view: Window, config: RunConfig) -> bool:
    geobox = config.scene.geobox
    part = tuple(
        slice(start * size // length, -(-stop * size // length))
        for (start, stop), size, length in zip(
            (view.rows, view.cols),
            coarse.shape,
            (geobox.height, geobox.width),
            strict=True,
        )
    )
    return bool(coarse[part].any())


def _count_empty(config: RunConfig, has_data: Callable[[Window], bool]) -> int:
    """Count the tiles that touch the AOI and show no data inside the scene."""
    plan = config.plan
    scene = Window(0, 0, plan.geobox.height, plan.geobox.width)
    return sum(
        not has_data(view)
        for block in plan.blocks
        for tile in plan.lattice.tiles(block)
        if config.aoi.touches(plan.lattice.tile_view(tile))
        and (view := plan.lattice.tile_view(tile).intersection(scene))
    )
