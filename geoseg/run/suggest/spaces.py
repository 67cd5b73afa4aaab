"""In which features pixels are compared, and what is known there already.

With labels that is the model's feature space, its penultimate layer, each feature in
its standard deviations. Without labels it is that of the package's training vectors,
bands weighted by their importance: what is labelled is known there alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, ModelError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.models.package.training_vectors import has_vectors, load_vectors
from geoseg.overlay.labels import label_files, open_labels
from geoseg.predict.features import tile_features
from geoseg.run.suggest.candidates import chance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from geoseg.options import SuggestOptions
    from geoseg.run.configuration import RunConfig
    from geoseg.scene import Scene

MOST_LABELS = 2000
"""Labelled pixels that are compared with; of more so many are drawn."""
_SIDE = 1024
"""Side of the windows in which labels are looked for, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Places as the points that distances are measured between."""

    features: NDArray[np.float64]
    """Of the places asked for, shape ``(place, feature)``."""
    known: NDArray[np.float64]
    """Of what is labelled, shape ``(pixel, feature)``; may be empty."""


def labelled_places(
    scene: Scene, options: SuggestOptions
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Find pixels that are labelled, and what was left out; None without labels.

    Raises:
        LabelsError: The labels cannot be read, or none lies in the scene.

    """
    if not options.labels:
        return None, ()
    marks = open_labels(options.labels, column=options.class_field)
    on_grid = marks.on_grid(scene.geobox, dict.fromkeys(marks.names, 0))
    found = np.empty((0, 2), np.int64)
    for window in _windows(scene.window, _SIDE):
        rows, cols = np.nonzero(on_grid.read(window) != NODATA)
        own = np.column_stack([rows + window.row, cols + window.col])
        found = np.concatenate([found, own])
        if len(found) > MOST_LABELS:
            lot = chance(found[:, 0], found[:, 1], options.seed)
            order = np.lexsort((found[:, 1], found[:, 0], lot))[:MOST_LABELS]
            found = found[order]
    if not len(found):
        files = ", ".join(map(str, label_files(options.labels)))
        raise LabelsError(f"no label of {files} lies in {scene.name}")
    return found[np.lexsort((found[:, 1], found[:, 0]))], marks.warnings


def compare(
    config: RunConfig,
    places: NDArray[np.int64],
    labelled: NDArray[np.int64] | None,
) -> Compared:
    """Read features at places, and at what is labelled.

    Tiles that hold a place are read and sent through the first model once more.

    Args:
        config: The run.
        places: Rows and columns of the scene, shape ``(place, 2)``.
        labelled: The same of what is labelled; None to take the package's word.

    Raises:
        ModelError: Features are no numbers, or the same everywhere.
        SceneError: The scene cannot be read any more.

    """
    model, device = config.predictor.models[0], config.predictor.compute.device
    if labelled is None and has_vectors(model.package):
        vectors = load_vectors(model.package)

        def by_bands(
            pixels: NDArray[np.generic], _: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            return vectors.scaled(pixels).astype(np.float32)

        found = _features_at(config, places, by_bands)
        known = vectors.vectors.astype(np.float64)
        return Compared(found / vectors.spread, known / vectors.spread)
    alone = replace(model, indices=tuple(range(len(model.indices))))

    def by_network(
        pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        return tile_features(alone, device, pixels, valid)

    there = np.empty((0, 2), np.int64) if labelled is None else labelled
    found = _features_at(config, np.concatenate([places, there]), by_network)
    return _standardised(found, len(places), model.package.name)


def _standardised(found: NDArray[np.float64], count: int, model: str) -> Compared:
    """Bring features to a mean distance of about 1 between two places."""
    if not np.isfinite(found).all():
        raise ModelError(
            f"the features of the model {model} are no numbers at some places, so that "
            f"nobody can say how far these are from each other; train it anew"
        )
    deviation = found.std(axis=0)
    varies = deviation > 0
    if not varies.any():
        raise ModelError(
            f"the model {model} sees the same at all uncertain places, so that none "
            f"teaches more than another; give a larger area, or another model"
        )
    scaled = (found - found.mean(axis=0))[:, varies] / deviation[varies]
    scaled /= np.sqrt(2 * varies.sum())
    return Compared(scaled[:count], scaled[count:])


def _features_at(
    config: RunConfig,
    places: NDArray[np.int64],
    make: Callable[[NDArray[np.generic], NDArray[np.bool_]], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Read places tile by tile; those without data are of the band's means."""
    model, scene = config.predictor.models[0], config.scene
    bands = [config.predictor.bands[channel] for channel in model.indices]
    axes = config.plan.lattice.rows, config.plan.lattice.cols
    tile, step, half = axes[0].tile, axes[0].step, axes[0].overlap // 2
    before = np.array([axis.phase for axis in axes])
    keys, tiles = np.unique((places + before) // step, axis=0, return_inverse=True)
    found: NDArray[np.float64] | None = None
    for number, key in enumerate(keys):
        corner = key * step - before - half
        row, col = corner.tolist()
        pixels, valid = _read_tile(scene, Window(row, col, tile, tile), bands)
        features = make(pixels, valid)
        own = tiles.reshape(-1) == number
        rows, cols = (places[own] - corner).T
        if found is None:
            found = np.empty((len(places), len(features)))
        found[own] = features[:, rows, cols].T
    assert found is not None  # noqa: S101  # there is a place
    return found


def _read_tile(
    scene: Scene, tile: Window, bands: list[int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a tile; beyond the scene nothing is valid."""
    inside = tile.intersection(scene.window)
    assert inside is not None  # noqa: S101  # it holds a place
    read, there = scene.read(inside, bands)
    pixels = np.zeros((len(bands), tile.height, tile.width), read.dtype)
    valid = np.zeros((tile.height, tile.width), bool)
    top, left = inside.row - tile.row, inside.col - tile.col
    part = slice(top, top + inside.height), slice(left, left + inside.width)
    pixels[:, *part], valid[part] = read, there
    return pixels, valid


def _windows(area: Window, side: int) -> Iterator[Window]:
    for row in range(area.row, area.rows[1], side):
        for col in range(area.col, area.cols[1], side):
            part = Window(row, col, side, side).intersection(area)
            if part is not None:
                yield part
