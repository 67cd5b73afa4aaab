"""Labelled pixels with what surrounds them: only chunks that hold labels are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.overlay.labels import Labels
from geoseg.scene.files.datasets import at_once
from geoseg.train.bands import find_bands
from geoseg.train.inputs import alike_on_dates
from geoseg.train.pixelwise.neighbourhoods import Neighbourhoods, around, concatenate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from geoseg.models.package.card import InputBand
    from geoseg.scene import Scene
    from geoseg.train.dataset import LabelledInputs

SPARSE = 5000
"""Labelled pixels of which there are fewer are few."""
CELL = 256
"""Side of the cells in which labels are looked for, in pixels: a file's usual chunk."""


@dataclass(frozen=True, slots=True)
class Patch:
    """What was read around the labelled pixels of a cell."""

    pixels: NDArray[np.float32]
    """Raw pixels, shape ``(band, y, x)``."""
    valid: NDArray[np.bool_]
    """Where all bands have data, shape ``(y, x)``."""
    rows: NDArray[np.int64]
    """The row of each labelled pixel in it."""
    cols: NDArray[np.int64]
    """The column of each."""
    channels: NDArray[np.uint8]
    """The class of each, as its index in the legend."""
    scene: int
    """The index of its scene."""
    corner: tuple[int, int]
    """The row and the column of its first pixel in the scene."""


@dataclass(frozen=True, slots=True)
class LabelledPixels:
    """All labelled pixels of some scenes."""

    patches: tuple[Patch, ...]
    """What was read."""
    bands: tuple[InputBand, ...]
    """The bands, with what they are where labels are."""

    @property
    def channels(self) -> NDArray[np.uint8]:
        """The class of each pixel, as its index in the legend, shape ``(pixel,)``."""
        return np.concatenate([each.channels for each in self.patches])

    @property
    def positions(self) -> NDArray[np.int64]:
        """Scene, row and column of each pixel, shape ``(pixel, 3)``."""
        found = [
            np.stack(
                [
                    np.full(len(each.rows), each.scene),
                    each.rows + each.corner[0],
                    each.cols + each.corner[1],
                ],
                axis=1,
            )
            for each in self.patches
        ]
        return np.concatenate(found)

    @property
    def values(self) -> NDArray[np.float32]:
        """Give the raw bands of each pixel, shape ``(pixel, band)``."""
        found = [each.pixels[:, each.rows, each.cols].T for each in self.patches]
        return np.concatenate(found)

    def features(
        self, layers: nn.Module, stride: int = 1, smoothing: int = 1
    ) -> Neighbourhoods:
        """Give what a network's fixed layers make of each, and around it.

        Args:
            layers: They give ``(tile, feature, y, x)`` of normalised tiles.
            stride: What their tiles begin at, and are, multiples of.
            smoothing: The side of the window in which probabilities are averaged.

        """
        shape = (-1, 1, 1)
        mean = np.array([band.mean for band in self.bands], np.float32).reshape(shape)
        std = np.array([band.std for band in self.bands], np.float32).reshape(shape)
        places, found = around(smoothing), []
        for each in self.patches:
            normal = np.where(each.valid, (each.pixels - mean) / std, np.float32(0))
            before = [corner % stride for corner in each.corner]
            after = [
                -(start + side) % stride
                for start, side in zip(before, normal.shape[1:], strict=True)
            ]
            sides = [(0, 0), *zip(before, after, strict=True)]
            with torch.inference_mode():
                tile = torch.from_numpy(np.pad(normal, sides)[np.newaxis])
                made = layers(tile)[0].numpy()
            rows, cols, seen = _within(each, places)
            values = made[:, rows + before[0], cols + before[1]].transpose(1, 2, 0)
            found.append(Neighbourhoods(values, seen))
        return concatenate(found)


def _within(
    patch: Patch, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Give rows and columns of places around labelled pixels, and which have data."""
    rows = patch.rows[:, np.newaxis] + places[:, 0]
    cols = patch.cols[:, np.newaxis] + places[:, 1]
    height, width = patch.valid.shape
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    rows, cols = rows.clip(0, height - 1), cols.clip(0, width - 1)
    return rows, cols, inside & patch.valid[rows, cols]


def is_sparse(given: LabelledInputs) -> bool:
    """Return whether labels are points, or fewer pixels than `SPARSE`."""
    marks = given.marks
    if isinstance(marks, Labels) and all(
        each.geom_type in {"Point", "MultiPoint"} for each in marks.shapes
    ):
        return True
    count = 0
    for scene in given.scenes:
        for _, found in _cells(scene, given):
            count += int((found != NODATA).sum())
            if count >= SPARSE:
                return False
    return count > 0


def read_labelled(given: LabelledInputs, halo: int) -> LabelledPixels:
    """Read the pixels that are labelled, and so many around them.

    Raises:
        ModelError: A scene lacks a band.
        SceneError: One cannot be read.
        LabelsError: No label lies where there is data.

    """
    patches = [
        patch
        for index, scene in enumerate(given.scenes)
        for patch in _patches(scene, index, given, halo)
    ]
    if not patches:
        names = ", ".join(scene.name for scene in given.scenes)
        raise LabelsError(f"no label lies where {names} has data")
    bands = alike_on_dates(_measured(patches, given.bands), given.dates)
    return LabelledPixels(tuple(patches), bands)


def _cells(
    scene: Scene, given: LabelledInputs
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Give each cell of a scene that holds labels, and these."""
    plane = scene.geobox
    try:
        gridded = given.marks.on_grid(plane, dict(given.class_mapping.channels))
    except LabelsError:
        if len(given.scenes) == 1:
            raise
        return  # the other scenes may have some
    for row in range(0, plane.height, CELL):
        for col in range(0, plane.width, CELL):
            sides = min(CELL, plane.height - row), min(CELL, plane.width - col)
            window = Window(row, col, *sides)
            found = gridded.read(window)
            if (found != NODATA).any():
                yield window, found


def _patches(scene: Scene, index: int, given: LabelledInputs, halo: int) -> list[Patch]:
    """Read around the labels of each cell; all together where a network is waited for.

    A file's chunks that hold no label are not read, but for those within the halo of
    one.
    """
    bands = find_bands(scene, given.bands)

    def read(cell: tuple[Window, NDArray[np.uint8]]) -> Patch | None:
        return _patch(scene, index, bands, cell, halo)

    found = at_once(read, [*_cells(scene, given)], remote=scene.is_remote)
    return [patch for patch in found if patch is not None]


def _patch(
    scene: Scene,
    index: int,
    bands: Sequence[int],
    cell: tuple[Window, NDArray[np.uint8]],
    halo: int,
) -> Patch | None:
    """Read around the labels of a cell; None where none of them lies on data."""
    window, found = cell
    rows, cols = np.nonzero(found != NODATA)
    near = Window(
        window.row + int(rows.min()) - halo,
        window.col + int(cols.min()) - halo,
        int(np.ptp(rows)) + 1 + 2 * halo,
        int(np.ptp(cols)) + 1 + 2 * halo,
    ).intersection(scene.window)
    if near is None:  # pragma: no cover  # the cell lies in the scene
        return None
    pixels, valid = scene.read(near, bands)
    channels = found[rows, cols]
    rows, cols = rows + window.row - near.row, cols + window.col - near.col
    there = valid[rows, cols]
    if not there.any():
        return None
    return Patch(
        pixels.astype(np.float32),
        valid,
        rows[there],
        cols[there],
        channels[there],
        index,
        (near.row, near.col),
    )


def _measured(
    patches: Sequence[Patch], bands: tuple[InputBand, ...]
) -> tuple[InputBand, ...]:
    """Measure each band over what was read."""
    measured = []
    for index, band in enumerate(bands):
        seen = np.concatenate([p.pixels[index][p.valid] for p in patches])
        seen = seen.astype(np.float64)
        std = float(seen.std())
        measured.append(
            replace(
                band,
                mean=float(seen.mean()),
                std=std if std > 0 else 1.0,
                minimum=float(seen.min()),
                maximum=float(seen.max()),
            )
        )
    return tuple(measured)
