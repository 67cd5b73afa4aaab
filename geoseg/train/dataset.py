"""Scenes and labels made ready to be learned from, or refused: `prepare_dataset`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA, Legend
from geoseg.geo.splits import FOLDS, Split
from geoseg.models.compatibility import check_scaled
from geoseg.overlay.labels import open_labels
from geoseg.train.bands import find_bands
from geoseg.train.class_mapping import check_class_mapping, scheme_for
from geoseg.train.folds import chip_corners, cut_scenes, shown_area, sized
from geoseg.train.labelled_scenes import (
    Ground,
    LabelSource,
    open_scenes,
    read_ground,
    statistics,
)
from geoseg.train.sampler import Sampler
from geoseg.train.samples import Chips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.package.card import InputBand
    from geoseg.overlay.labels import LabelRaster, Labels
    from geoseg.raster.legend_file import ClassMapping
    from geoseg.scene import Scene
    from geoseg.train.labelled_scenes import Scenes
    from geoseg.train.options import TrainOptions


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """How much there is of a class to learn from and to measure on."""

    name: str
    """The class's name."""
    training: int
    """Labelled pixels that samples may show."""
    held_out: int
    """Labelled pixels of the held-out blocks."""

    def __str__(self) -> str:
        """Write it as a part of a sentence."""
        return f"{self.name} {self.training:,} ({self.held_out:,} held out)"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Scenes, labels and split, ready to be learned from."""

    grounds: tuple[Ground, ...]
    """The scenes."""
    bands: tuple[InputBand, ...]
    """The bands with what they are over the training area."""
    legend: Legend
    """The classes."""
    held_out: tuple[Split, ...]
    """What of each scene is measured on, and never learned from."""
    validated: tuple[Split, ...]
    """What epochs are compared on: another fold where a training may stop early."""
    areas: tuple[NDArray[np.bool_], ...]
    """What of each scene chips can show, shape ``(y, x)``, True = shown."""
    sampler: Sampler
    """Training samples."""
    identity: dict[str, str]
    """What the scenes and labels are, for a resume."""
    options: TrainOptions
    """What was asked for, with sides of blocks and chips."""
    warnings: tuple[str, ...]
    """What was left out."""

    @property
    def pixels(self) -> int:
        """Labelled pixels of the training area."""
        return sum(
            int((area & (ground.labels != NODATA)).sum())
            for ground, area in zip(self.grounds, self.areas, strict=True)
        )

    @property
    def labelled(self) -> tuple[ClassLabels, ...]:
        """How many labelled pixels each class has."""
        learned = _count(self.grounds, self.areas)
        held_out = _count(self.grounds, [each.test_area() for each in self.held_out])
        return tuple(
            ClassLabels(each.name, int(learned[index]), int(held_out[index]))
            for index, each in enumerate(self.legend)
        )

    def truth(self, splits: Sequence[Split]) -> list[NDArray[np.uint8]]:
        """Give each scene's labels in its held-out blocks, 255 elsewhere."""
        return [
            np.where(split.test_area(), ground.labels, NODATA).astype(np.uint8)
            for split, ground in zip(splits, self.grounds, strict=True)
        ]

    def training_pixels(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Give raw bands of labelled training pixels, ``(pixel, band)``, and blocks.

        The numbers of blocks, ``(pixel,)``, are of the lattice of the first scene's.
        """
        block = self.options.block
        found = []
        for index, (ground, area) in enumerate(
            zip(self.grounds, self.areas, strict=True)
        ):
            rows, cols = np.nonzero(area & (ground.labels != NODATA))
            cells = np.stack([np.full(len(rows), index), rows // block, cols // block])
            found.append((ground.pixels[:, rows, cols].T.astype(np.float32), cells))
        cells = np.concatenate([each for _, each in found], axis=1)
        blocks = np.unique(cells, axis=1, return_inverse=True)[1].reshape(-1)
        return np.concatenate([each for each, _ in found]), blocks

    def images(self) -> list[NDArray[np.float32]]:
        """Normalise each scene, shape ``(band, y, x)``."""
        return [ground.normalised(self.bands) for ground in self.grounds]


@dataclass(frozen=True, slots=True)
class Given:
    """Scenes and labels, opened and not yet read."""

    scenes: Sequence[Scene]
    """The scenes, in the unit that they declare."""
    bands: tuple[InputBand, ...]
    """Which bands, without statistics."""
    marks: Labels | LabelRaster
    """The labels."""
    class_mapping: ClassMapping
    """Which of them mean which class."""
    warnings: tuple[str, ...]
    """What was left out."""


def open_given(scenes: Scenes, labels: Path | str, options: TrainOptions) -> Given:
    """Open scenes and labels.

    Raises:
        InputError: They cannot be used.

    """
    marks = open_labels(labels, column=options.class_field, width=options.line_width)
    class_mapping = scheme_for(marks, options.classes)
    warnings = [
        *marks.warnings,
        *check_class_mapping(class_mapping, marks.names, marks.also),
    ]
    found, bands = open_scenes(scenes, options)
    opened = _as_declared(found, bands)
    said = (w for scene in opened for w in scene.warnings)
    return Given(opened, bands, marks, class_mapping, (*warnings, *said))


def prepare_dataset(
    scenes: Scenes,
    labels: Path | str,
    options: TrainOptions,
    given: Given | None = None,
) -> TrainingData:
    """Read scenes and labels, split them, and see whether they can be learned from.

    Args:
        scenes: The scenes.
        labels: What is known of them.
        options: How to train.
        given: Both, where they were opened before.

    Raises:
        InputError: They cannot.

    """
    given = given or open_given(scenes, labels, options)
    opened, bands, class_mapping = given.scenes, given.bands, given.class_mapping
    options = sized(options, [scene.geobox for scene in opened])
    grounds, indices, left_out = _grounds(opened, bands, given.marks, class_mapping)
    fold = options.held_out_fold()
    cut, on_two_grids = cut_scenes(opened, options, fold)
    held_out = [cut[index] for index in indices]
    _check_held_out(grounds, held_out, options)
    validated = held_out
    if options.patience:
        fold = (fold + 1) % FOLDS
        cut, _ = cut_scenes(opened, options, fold)
        validated = [cut[index] for index in indices]
        _check_held_out(grounds, validated, replace(options, fold=f"{fold}/{FOLDS}"))
    corners = chip_corners(held_out, validated, options.chip)
    areas = [
        shown_area(corner, ground.labels.shape, options.chip)
        for corner, ground in zip(corners, grounds, strict=True)
    ]
    bands = statistics(grounds, areas, bands)
    _check_training(grounds, areas, class_mapping.legend)
    chips = [
        Chips.of(ground.normalised(bands), ground.labels, corner)
        for ground, corner, area in zip(grounds, corners, areas, strict=True)
        if corner is not None and (area & (ground.labels != NODATA)).any()
    ]
    seen = {
        f"{key} {index}": value
        for index, scene in enumerate(opened)
        for key, value in scene.identity().items()
    }
    return TrainingData(
        tuple(grounds),
        bands,
        class_mapping.legend,
        tuple(held_out),
        tuple(validated),
        tuple(areas),
        Sampler.of(chips),
        {**seen, "labels": _digest(grounds), "legend": repr(class_mapping)},
        options,
        (*given.warnings, *left_out, *on_two_grids),
    )


def _as_declared(
    scenes: Sequence[Scene], bands: tuple[InputBand, ...]
) -> Sequence[Scene]:
    """Give scenes in the unit that their files declare, as the model will see them."""
    if not any(scene.is_scaled for scene in scenes):
        return scenes
    check_scaled((scene, find_bands(scene, bands)) for scene in scenes)
    return [scene.in_unit(1.0) for scene in scenes]


def _grounds(
    scenes: Sequence[Scene],
    bands: tuple[InputBand, ...],
    marks: LabelSource,
    class_mapping: ClassMapping,
) -> tuple[list[Ground], list[int], list[str]]:
    """Read each scene that has labels, and give its index; refuse where none has."""
    grounds, indices, misses = [], [], []
    for index, scene in enumerate(scenes):
        try:
            ground = read_ground(scene, bands, marks, dict(class_mapping.channels))
        except LabelsError as error:
            misses.append(error)
        else:
            grounds.append(ground)
            indices.append(index)
    if not grounds:
        raise misses[0]
    return grounds, indices, [f"a scene is left out: {error}" for error in misses]


def _check_held_out(
    grounds: Sequence[Ground], splits: Sequence[Split], options: TrainOptions
) -> None:
    """Refuse a fold on which nothing could be measured."""
    for ground, split in zip(grounds, splits, strict=True):
        if (split.test_area() & (ground.labels != NODATA)).any():
            return
    raise LabelsError(
        f"no labelled pixel lies in the blocks of fold {options.fold}, where it would "
        f"be measured; choose another `fold`, or a smaller `block` than {options.block}"
    )


def _check_training(
    grounds: Sequence[Ground], areas: Sequence[NDArray[np.bool_]], legend: Legend
) -> None:
    """Refuse classes that the split left without a pixel to learn from."""
    counts = _count(grounds, areas)
    missing = [each.name for index, each in enumerate(legend) if not counts[index]]
    if missing:
        raise LabelsError(
            f"no training pixel is left of {', '.join(missing)} after the split; "
            f"label more of it, merge it by `classes`, or choose another `fold`, a "
            f"smaller `block` or `chip`"
        )


def _count(
    grounds: Sequence[Ground], areas: Sequence[NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Count the labelled pixels of some areas, a class each, shape ``(256,)``."""
    counts = np.zeros(NODATA + 1, np.int64)
    for ground, area in zip(grounds, areas, strict=True):
        counts += np.bincount(ground.labels[area], minlength=NODATA + 1)
    return counts


def _digest(grounds: Sequence[Ground]) -> str:
    """Distinguish labels as they lie on the scenes."""
    digest = sha256()
    for ground in grounds:
        digest.update(ground.labels.tobytes())
    return digest.hexdigest()
