"""A few tiles of the scene, through the model: how busy the map will be.

Memory for polygons follows the corners of the map, which only the model knows. So
tiles spread over the area are read and inferred, and their corners counted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.run.samples import Busy
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import polygons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.run.configuration import RunConfig

_TILES = 9
"""Tiles of the scene that are looked at."""
_READ = 4
"""Which of what `_drawn` gives are seconds to read."""


def busyness(config: RunConfig) -> Busy:
    """Estimate how busy the map will be, from a few tiles that are mapped and drawn.

    Nothing where none of them holds data in the area.
    """
    found = np.array([_drawn(config, view) for view in _views(config)]).reshape(-1, 6)
    if len(found):
        found[:, _READ] = np.median(found[:, _READ])  # the first one opens files, too
    *sums, pixels = found.sum(axis=0).tolist()
    return Busy(*(each / pixels for each in sums)) if pixels else Busy()


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


@dataclass(frozen=True, slots=True)
class _TileMap:
    """The map of a tile."""

    pixels: NDArray[np.uint8]
    """Class ids, shape ``(y, x)``."""
    geobox: GeoBox
    """Their plane."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window."""
        return self.pixels[window.slices()]


def _drawn(config: RunConfig, view: Window) -> tuple[float, ...]:
    """Draw a tile's map: the fields of `Busy`, and pixels with data."""
    begin = time.perf_counter()
    pixels, valid = config.scene.read(view, config.predictor.bands)
    read = time.perf_counter() - begin
    classes = _classes(config, view, pixels, valid)
    tile = _TileMap(classes, config.scene.geobox.crop(view))
    legend = config.package.legend
    options = replace(config.options.polygons, classes=())
    frame = polygons(tile, legend=legend, drawing=Drawing.of(options, legend))
    counts = frame.geometry.count_coordinates() - 1
    reach = shapely.bounds(frame.geometry.to_numpy())
    around = tile.geobox.bounds
    edges = np.array([around.left, around.bottom, around.right, around.top])
    cut = (reach == edges).any(axis=1)
    whole = len(frame) - cut.sum() / 2
    return (
        count_vertices(classes),
        counts.sum(),
        whole,
        counts.max() if len(counts) else 0,
        read,
        int((classes != NODATA).sum()),
    )


def _classes(
    config: RunConfig,
    view: Window,
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Map a tile that was read: class ids, nodata outside the area."""
    predictor, side = config.predictor, config.plan.lattice.rows.tile
    edge = [(0, side - view.height), (0, side - view.width)]
    tile = np.pad(pixels, [(0, 0), *edge], mode="edge")[np.newaxis]
    shown = np.pad(valid, edge)[np.newaxis]
    batch = (predictor.batch, 1, 1)
    scores = predictor(np.tile(tile, (*batch, 1)), np.tile(shown, batch))[0]
    deciding = scores[: len(predictor.legend)]
    channels = deciding.argmax(dim=0).to("cpu").numpy()[: view.height, : view.width]
    ids = np.array([each.id for each in predictor.legend], np.uint8)
    inside = valid & config.aoi.mask(view)
    return np.where(inside, ids[channels], np.uint8(NODATA))


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
