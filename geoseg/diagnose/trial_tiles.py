"""A few tiles of the scene, through the model: how busy the map will be, how fast.

Memory for polygons follows the corners of the map, which only the model knows. So
tiles spread over the area are read and inferred, and their corners counted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.predict import try_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.run.configuration import RunConfig

MEASURED_S = 2.0
"""Seconds that the model is measured for."""
_TILES = 9
"""Tiles of the scene that are looked at."""


def seconds_per_tile(config: RunConfig) -> float:
    """Seconds that a tile takes in the model, the first round not counted."""
    predictor, side = config.predictor, config.plan.lattice.rows.tile
    try_streams(predictor, side, dtype=config.scene.dtype)
    started, rounds = time.perf_counter(), 0
    while time.perf_counter() - started < MEASURED_S:
        try_streams(predictor, side, dtype=config.scene.dtype)
        rounds += 1
    seconds = (time.perf_counter() - started) / rounds
    return seconds / (predictor.batch * predictor.streams)


def vertices_per_pixel(config: RunConfig) -> float:
    """Vertices that polygons of the map would have for each of its pixels.

    Estimated from a few tiles; 0 where none of them holds data in the area.
    """
    found = [_vertices(config, view) for view in _views(config)]
    pixels = sum(size for _, size in found)
    return sum(count for count, _ in found) / pixels if pixels else 0.0


def _views(config: RunConfig) -> Iterator[Window]:
    """Windows of tiles spread over the area, inside the scene."""
    plan = config.plan
    scene = Window(0, 0, plan.geobox.height, plan.geobox.width)
    blocks = sorted(plan.blocks)
    for block in blocks[:: -(-len(blocks) // _TILES)]:
        tiles = plan.lattice.tiles(block)
        view = plan.lattice.tile_view(tiles[len(tiles) // 2]).intersection(scene)
        if view is not None and config.aoi.touches(view):
            yield view


def _vertices(config: RunConfig, view: Window) -> tuple[int, int]:
    """Count the vertices of a tile's map, and its pixels."""
    predictor, side = config.predictor, config.plan.lattice.rows.tile
    pixels, valid = config.scene.read(view, predictor.bands)
    edge = [(0, side - view.height), (0, side - view.width)]
    tile = np.pad(pixels, [(0, 0), *edge], mode="edge")[np.newaxis]
    shown = np.pad(valid, edge)[np.newaxis]
    batch = (predictor.batch, 1, 1)
    scores = predictor(np.tile(tile, (*batch, 1)), np.tile(shown, batch))[0]
    deciding = scores[: len(predictor.legend)]
    classes = deciding.argmax(dim=0).to("cpu").numpy().astype(np.uint8)
    inside = valid & config.aoi.mask(view)
    classes = np.where(inside, classes[: view.height, : view.width], NODATA)
    return count_vertices(classes), int(inside.sum())


def count_vertices(classes: NDArray[np.uint8]) -> int:
    """Count the vertices of a map's polygons at its inner corners.

    Where four pixels meet, as many regions have a vertex as there are lines between
    them, but for a straight line, which has none.

    Args:
        classes: Class ids, shape ``(y, x)``.

    Example:
        >>> count_vertices(np.array([[1, 1, 1], [1, 2, 1], [1, 1, 1]], np.uint8))
        8
        >>> count_vertices(np.array([[1, 2], [1, 2]], np.uint8))
        0

    """
    a, b, c, d = classes[:-1, :-1], classes[:-1, 1:], classes[1:, :-1], classes[1:, 1:]
    lines = sum(
        (first != second).astype(np.int64)
        for first, second in ((a, b), (b, d), (d, c), (c, a))
    )
    straight = (lines == 2) & (a != d) & (b != c)  # noqa: PLR2004  # two lines make one
    return int(np.sum(lines, where=~straight))
