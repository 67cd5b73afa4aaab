"""Labelled pixels cut into folds by where they are, never by chance alone.

Pixels beside each other are alike, so that a model that learned one of them knows the
other: figures of folds drawn at random flatter (Roberts et al. 2017, Cross-validation
strategies for data with temporal, spatial, hierarchical, or phylogenetic structure,
Ecography 40). Here what is held out together lies in one square cell.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from geoseg.errors import LabelsError
from geoseg.scene.warp.coordinates import transformer
from geoseg.train.folds import meet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox

FOLDS = 5
_CELLS = 4
"""How many cells lie along the longer side of what is labelled, at first."""
_LEAST = 8
"""The smallest side of a cell in pixels: nearer labels are in one cell."""


def ground_cells(
    positions: NDArray[np.int64], channels: NDArray[np.uint8], names: Sequence[str]
) -> NDArray[np.int64]:
    """Number the square cells of ground that labelled pixels lie in.

    Cells are as large as they can be while there are two for each fold, and each
    class lies in two.

    Args:
        positions: Scene, row and column of each pixel, shape ``(pixel, 3)``; of scenes
            that share ground, see `on_shared_planes`.
        channels: The class of each, as its index among the names.
        names: The classes.

    Returns:
        The number of each pixel's cell.

    Raises:
        LabelsError: A class has too few pixels for that, or all in one place.

    """
    counts = np.bincount(channels, minlength=len(names))
    few = [name for name, count in zip(names, counts, strict=True) if count <= 1]
    if few:
        raise LabelsError(
            f"cross-validation cannot judge a class with fewer than two labelled "
            f"pixels, as {', '.join(few)}; label more of it, or leave it out or merge "
            f"it by `classes`"
        )
    side = max(int(np.ptp(positions[:, 1:], axis=0).max()) + 1, 1) / _CELLS
    while True:
        side = max(side, _LEAST)
        corners = np.floor(positions[:, 1:] / side).astype(np.int64)
        cells = _numbered(np.column_stack([positions[:, 0], corners]))
        alone = _in_one_cell(cells, channels, names)
        if not alone and cells.max() + 1 >= 2 * FOLDS:
            return cells
        if side <= _LEAST:
            break
        side /= 2
    if alone:
        raise LabelsError(
            f"all labels of {', '.join(alone)} lie in one place, within {_LEAST} "
            f"pixels: none can be held out to measure on; label it elsewhere, too"
        )
    return cells


def on_shared_planes(
    positions: NDArray[np.int64], planes: Sequence[GeoBox]
) -> NDArray[np.int64]:
    """Give pixels of scenes that share ground their positions on one plane.

    So what several scenes show lies in one cell, and is held out in all of them. The
    plane is that of the first of those scenes that meet, directly or by way of others.

    Args:
        positions: Scene, row and column of each pixel, shape ``(pixel, 3)``.
        planes: The pixel plane of each scene.

    Returns:
        The same of the first scene; rows and columns may lie beyond it.

    """
    found = positions.copy()
    for index, first in _firsts_met(planes).items():
        own = positions[:, 0] == index
        if index == first or not own.any():
            continue
        here, there = planes[index], planes[first]
        rows, cols = positions[own, 1:].T + 0.5
        x, y = here.transform @ (cols, rows)
        if here.crs != there.crs:
            x, y = transformer(here.crs, there.crs).transform(x, y)
        cols, rows = ~there.transform @ (x, y)
        found[own, 0] = first
        found[own, 1:] = np.floor(np.column_stack([rows, cols])).astype(np.int64)
    return found


def _firsts_met(planes: Sequence[GeoBox]) -> dict[int, int]:
    """Give each plane the first of those that it meets, or is linked to by others."""
    firsts: dict[int, int] = {}
    for index, plane in enumerate(planes):
        met = {firsts[n] for n in range(index) if meet(planes[n], plane)}
        firsts[index] = min(met, default=index)
        firsts = {n: firsts[index] if f in met else f for n, f in firsts.items()}
    return firsts


def draw_folds(
    cells: NDArray[np.int64], channels: NDArray[np.uint8], seed: int
) -> NDArray[np.int64]:
    """Give each pixel a fold, that of its cell, so that each fold has all classes.

    What cannot be had is come near to: a class of two cells is in two folds at most.
    """
    most = int(np.bincount(channels).max())
    count = min(FOLDS, int(cells.max()) + 1, most)
    folds = np.zeros(len(cells), np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of classes with fewer pixels than folds
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, held_out) in enumerate(splitter.split(cells, channels, cells)):
            folds[held_out] = number
    return folds


def _numbered(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def _in_one_cell(
    cells: NDArray[np.int64], channels: NDArray[np.uint8], names: Sequence[str]
) -> list[str]:
    return [
        name
        for channel, name in enumerate(names)
        if len(np.unique(cells[channels == channel])) == 1
    ]
