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
from geoseg.storage.spool import Spool
from geoseg.train.applicability import kept_pixels
from geoseg.train.bands import find_bands
from geoseg.train.class_mapping import check_class_mapping, class_mapping_for
from geoseg.train.folds import chip_corners, cut_scenes, shown_area, sized
from geoseg.train.inputs import alike_on_dates, dates_of
from geoseg.train.labelled_scenes import (
    LabelledGround,
    open_scenes,
    read_ground,
    statistics,
)
from geoseg.train.sampler import Sampler
from geoseg.train.samples import Chips, find_labelled, labelled_rows
from geoseg.train.strips import strips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.package.card import InputBand
    from geoseg.overlay.labels import LabelRaster, Labels
    from geoseg.raster.legend_file import ClassMapping
    from geoseg.scene import Scene
    from geoseg.train.inputs import Dates
    from geoseg.train.labelled_scenes import Normalised, Scenes
    from geoseg.train.options import TrainOptions
    from geoseg.train.strips import Plane


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

    grounds: tuple[LabelledGround, ...]
    """The scenes."""
    bands: tuple[InputBand, ...]
    """The bands with what they are over the training area."""
    legend: Legend
    """The classes."""
    held_out: tuple[Split, ...]
    """What of each scene is measured on, and never learned from."""
    validated: tuple[Split, ...]
    """What epochs are compared on: another fold where a training may stop early."""
    shown: tuple[Plane, ...]
    """The labels of each scene that chips can show, shape ``(y, x)``; 255 elsewhere."""
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
        return int(_count(self.shown).sum())

    @property
    def labelled(self) -> tuple[ClassLabels, ...]:
        """How many labelled pixels each class has."""
        learned = _count(self.shown)
        held_out = np.zeros(NODATA, np.int64)
        for ground, split in zip(self.grounds, self.held_out, strict=True):
            for part in split.test_blocks():
                held_out += _count_labels(ground.labels[part])
        return tuple(
            ClassLabels(each.name, int(learned[index]), int(held_out[index]))
            for index, each in enumerate(self.legend)
        )

    def training_pixels(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Give raw bands of labelled training pixels, ``(pixel, band)``, and blocks.

        They are those that `training_vectors` keeps. The numbers of blocks,
        ``(pixel,)``, are of the lattice of the first scene's.
        """
        block, found, cells = self.options.block, [], []
        ends = [labelled_rows(seen) for seen in self.shown]
        starts = np.cumsum([0, *(int(each[-1]) for each in ends)])
        for number in kept_pixels(int(starts[-1]), self.options.seed):
            index = int(np.searchsorted(starts, number, side="right")) - 1
            row, col = find_labelled(
                ends[index], int(number - starts[index]), self.shown[index]
            )
            found.append(self.grounds[index].pixels[:, row, col].astype(np.float32))
            cells.append((index, row // block, col // block))
        blocks = np.unique(np.array(cells), axis=0, return_inverse=True)[1]
        return np.stack(found), blocks.reshape(-1)

    def images(self) -> list[Normalised]:
        """Give each scene as a network sees it, shape ``(band, y, x)``."""
        return [ground.normalised(self.bands) for ground in self.grounds]


@dataclass(frozen=True, slots=True)
class LabelledInputs:
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
    dates: Dates
    """The windows of dates of each input that has some."""


def open_given(
    scenes: Scenes, labels: Path | str | Sequence[Path | str], options: TrainOptions
) -> LabelledInputs:
    """Open scenes and labels.

    Raises:
        InputError: They cannot be used.

    """
    marks = open_labels(labels, column=options.class_field, width=options.line_width)
    class_mapping = class_mapping_for(marks, options.classes)
    warnings = [
        *marks.warnings,
        *check_class_mapping(class_mapping, marks.names, marks.also),
    ]
    found, bands = open_scenes(scenes, options)
    opened = _as_declared(found, bands)
    said = (w for scene in opened for w in scene.warnings)
    warnings = [*warnings, *said]
    dates = dates_of(options)
    return LabelledInputs(opened, bands, marks, class_mapping, tuple(warnings), dates)


def prepare_dataset(
    scenes: Scenes,
    labels: Path | str | Sequence[Path | str],
    options: TrainOptions,
    given: LabelledInputs | None = None,
    spool: Spool | None = None,
) -> TrainingData:
    """Read scenes and labels, split them, and see whether they can be learned from.

    Args:
        scenes: The scenes.
        labels: What is known of them.
        options: How to train.
        given: Both, where they were opened before.
        spool: Keeps what is read; in a file of its own where None.

    Raises:
        InputError: They cannot.

    """
    given = given or open_given(scenes, labels, options)
    opened, bands, class_mapping = given.scenes, given.bands, given.class_mapping
    options = sized(options, [scene.geobox for scene in opened])
    spool = spool or Spool()
    grounds, indices, left_out = _grounds(opened, given, spool)
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
    corners = chip_corners(held_out, validated, options.chip, spool)
    areas, shown = _shown(grounds, corners, options.chip, spool)
    bands = alike_on_dates(statistics(grounds, areas, bands), given.dates)
    _check_training(shown, class_mapping.legend)
    chips = [
        Chips.of(ground.normalised(bands), ground.labels, each, seen)
        for ground, each, seen in zip(grounds, corners, shown, strict=True)
        if each is not None and _count([seen]).any()
    ]
    known = {
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
        tuple(shown),
        Sampler.of(chips),
        {**known, "labels": _digest(grounds), "legend": repr(class_mapping)},
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
    scenes: Sequence[Scene], given: LabelledInputs, spool: Spool
) -> tuple[list[LabelledGround], list[int], list[str]]:
    """Read each scene that has labels, and give its index; refuse where none has."""
    grounds, indices, misses = [], [], []
    for index, scene in enumerate(scenes):
        try:
            channels = dict(given.class_mapping.channels)
            ground = read_ground(scene, given.bands, given.marks, channels, spool)
        except LabelsError as error:
            misses.append(error)
        else:
            grounds.append(ground)
            indices.append(index)
    if not grounds:
        raise misses[0]
    return grounds, indices, [f"a scene is left out: {error}" for error in misses]


def _shown(
    grounds: Sequence[LabelledGround],
    corners: Sequence[Plane | None],
    chip: int,
    spool: Spool,
) -> tuple[list[Plane], list[Plane]]:
    """Mark what chips can show of each scene, and its labels there, 255 elsewhere."""
    areas: list[Plane] = []
    shown: list[Plane] = []
    for ground, each in zip(grounds, corners, strict=True):
        shape = ground.labels.shape
        area, seen = spool.array(shape, bool), spool.array(shape, np.uint8)
        for rows in strips(shape[0]):
            there = shown_area(each, (rows.stop - rows.start, shape[1]), chip, rows)
            area.put(rows.start, there)
            seen.put(rows.start, np.where(there, ground.labels[rows], NODATA))
        areas.append(area)
        shown.append(seen)
    return areas, shown


def _check_held_out(
    grounds: Sequence[LabelledGround], splits: Sequence[Split], options: TrainOptions
) -> None:
    """Refuse a fold on which nothing could be measured."""
    for ground, split in zip(grounds, splits, strict=True):
        if any((ground.labels[b] != NODATA).any() for b in split.test_blocks()):
            return
    raise LabelsError(
        f"no labelled pixel lies in the blocks of fold {options.fold}, where it would "
        f"be measured; choose another `fold`, or a smaller `block` than {options.block}"
    )


def _check_training(shown: Sequence[Plane], legend: Legend) -> None:
    """Refuse classes that the split left without a pixel to learn from."""
    counts = _count(shown)
    missing = [each.name for index, each in enumerate(legend) if not counts[index]]
    if missing:
        raise LabelsError(
            f"no training pixel is left of {', '.join(missing)} after the split; "
            f"label more of it, merge it by `classes`, or choose another `fold`, a "
            f"smaller `block` or `chip`"
        )


def _count(shown: Sequence[Plane]) -> NDArray[np.int64]:
    """Count the labelled pixels of planes, a class each, shape ``(255,)``."""
    counts = np.zeros(NODATA, np.int64)
    for seen in shown:
        for rows in strips(seen.shape[0]):
            counts += _count_labels(seen[rows])
    return counts


def _count_labels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bincount(labels.ravel(), minlength=NODATA + 1)
    return counts[:NODATA]


def _digest(grounds: Sequence[LabelledGround]) -> str:
    """Distinguish labels as they lie on the scenes."""
    digest = sha256()
    for ground in grounds:
        for rows in strips(ground.labels.shape[0]):
            digest.update(ground.labels[rows].tobytes())
    return digest.hexdigest()
