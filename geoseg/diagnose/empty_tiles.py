"""How many tiles touch the area but hold no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.run.configuration import Setup


def empty_tiles(setup: Setup) -> int:
    """Count the tiles that hold no data in the area, by reading it all."""

    def has_data(view: Window) -> bool:
        _, valid = setup.scene.read(view, setup.predictor.bands)
        return bool((valid & setup.aoi.mask(view)).any())

    return _count_empty(setup, has_data)


def estimated_empty_tiles(setup: Setup) -> int | None:
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
