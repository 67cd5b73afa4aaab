"""Where a model has no business: how unlike its training pixels those of a map are."""

from __future__ import annotations

from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.models.package.training_vectors import load_vectors
from geoseg.raster import ClassMap, write_measures
from geoseg.storage.prefetch import read_ahead
from geoseg.storage.staging import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.run.configuration import RunConfig

PERCENT = 100
"""The byte that means the threshold: pixels above it are outside."""
_HIGHEST = 254
"""The byte of what is as unlike as this, or more; 255 is no data."""
_SIDE = 1024
"""Side of the windows that are read, in pixels; each pixel is judged by itself."""


def write_applicability(config: RunConfig) -> float | None:
    """Write the dissimilarity index of each pixel that has a class.

    Pixels are held against those that the first model learned from, and are read once
    more for it.

    Args:
        config: The run, whose class map is there.

    Returns:
        The share of the map that is outside, 0 to 1; None where the map is empty.

    Raises:
        ModelError: The model does not say what it learned from.
        SceneError: The scene cannot be read any more.

    """
    count = _Count()
    path = config.products["applicability"]
    with scratch_folder(config.output.folder) as scratch:
        write_measures(
            path,
            config.scene.geobox.crop(config.aoi.window),
            _indices(config, count),
            names=["dissimilarity index over threshold"],
            one=PERCENT,
            tags={"GEOSEG_VERSION": version("geoseg")},
            scratch=scratch,
        )
    return count.outside / count.all if count.all else None


class _Count:
    """Pixels that were judged."""

    def __init__(self) -> None:
        self.all = self.outside = 0


def _indices(
    config: RunConfig, count: _Count
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Give windows of the area, counted from its first pixel, and what they hold."""
    model = config.predictor.models[0]
    known = load_vectors(model.package)
    bands = [config.predictor.bands[index] for index in model.indices]
    area, class_map = config.aoi.window, ClassMap.open(config.products["landcover"])
    corners = product(range(0, area.height, _SIDE), range(0, area.width, _SIDE))
    parts = (
        Window(row, col, min(_SIDE, area.height - row), min(_SIDE, area.width - col))
        for row, col in corners
    )

    def read(part: Window) -> tuple[NDArray[np.bool_], NDArray[np.generic]]:
        wanted = class_map.read(part) != NODATA
        if not wanted.any():
            return wanted, np.empty((len(bands), 0))
        there = Window(area.row + part.row, area.col + part.col, *wanted.shape)
        return wanted, config.scene.read(there, bands)[0][:, wanted]

    for part, (wanted, pixels) in read_ahead(read, parts, 1):
        found = np.full((1, *wanted.shape), NODATA, np.uint8)
        index = known.dissimilarity(pixels)
        count.all += index.size
        count.outside += int((index > 1).sum())
        found[0, wanted] = np.minimum(np.ceil(index * PERCENT), _HIGHEST)
        yield part, found
