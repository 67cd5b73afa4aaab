"""From scenes and labels to a model package: `train_model`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from geoseg.classes import NODATA, Legend
from geoseg.errors import InputError, LabelsError, OutputError, PlanError
from geoseg.labels import open_labels
from geoseg.models.network import load_network, save_package, tile_stride
from geoseg.models.new import NewPackage, describe
from geoseg.models.package import ModelPackage, load_package
from geoseg.predict import resolve_compute
from geoseg.scene import open_scene
from geoseg.steps import OnStep, Step, ignore_step
from geoseg.train.chips import FOLDS, Chips, Split, covered
from geoseg.train.ground import (
    Burnable,
    Ground,
    bands_named,
    choose_bands,
    read_ground,
    statistics,
)
from geoseg.train.held_out import measure, predict_blocks
from geoseg.train.loop import Course, TrainSettings, carry_on
from geoseg.train.options import TrainOptions
from geoseg.train.picture import draw_training
from geoseg.train.record import Epoch, Record
from geoseg.train.scheme import Scheme, check_scheme, read_scheme, scheme_of
from geoseg.train.start import (
    filters_of,
    find_encoder,
    load_encoder,
    new_network,
    refined_network,
)
from geoseg.train.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from geoseg.evaluate import Accuracy
    from geoseg.models.card import Card, InputBand
    from geoseg.scene import Scene


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out of a training."""

    package: ModelPackage
    """The package that was written."""
    accuracy: Accuracy
    """On the held-out blocks, of the stored weights."""
    epochs: tuple[Epoch, ...]
    """What each epoch showed."""
    warnings: tuple[str, ...]
    """What was put right or left out, a sentence each."""

    def figures(self) -> dict[str, float]:
        """Give the measures of held-out ground by name."""
        accuracy = self.accuracy
        return {
            "overall accuracy": accuracy.overall,
            "mean F1": accuracy.mean_f1,
            "mean IoU": accuracy.mean_iou,
        }


@dataclass(frozen=True, slots=True)
class Lesson:
    """Scenes, labels and split, ready to be learned from."""

    grounds: tuple[Ground, ...]
    """The scenes."""
    bands: tuple[InputBand, ...]
    """The bands with what they are over the training area."""
    legend: Legend
    """The classes."""
    held_out: tuple[Split, ...]
    """What of each scene is measured on, and never learned from."""
    watched: tuple[Split, ...]
    """What epochs are compared on: another fold where a training may stop early."""
    supply: Supply
    """Training samples."""
    pixels: int
    """Labelled pixels of the training area."""
    identity: dict[str, str]
    """What the scenes and labels are, for a resume."""
    warnings: tuple[str, ...]
    """What was left out."""


def train_model(
    scenes: Sequence[Path | str],
    labels: Path,
    output: Path,
    *,
    options: TrainOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Trained:
    """Train a network on labelled scenes and write a model package.

    A fifth of the ground is held out in square blocks, and the package says how well
    the network did there. A training that was killed carries on from its last epoch
    when the same call is made again, and ends with the same weights.

    Args:
        scenes: Rasters, each a scene of its own; held in memory.
        labels: Polygons, lines, points or a raster of classes, in any CRS.
        output: The package's folder, which must not exist or be empty.
        options: How to train.
        on_step: Called after each step.

    Returns:
        The package and its figures.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        TrainingError: The loss, a gradient or the output is no number.

    """
    options = options or TrainOptions()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} exists; choose another folder, or remove it first")
    if options.tensorboard and find_spec("tensorboard") is None:
        raise InputError(
            "TensorBoard's files need its package; pip install 'geoseg[tensorboard]', "
            "or read the figures in training.csv"
        )
    on_step(Step("prepare"))
    lesson = prepare_lesson(scenes, labels, options)
    on_step(Step("prepare", warnings=lesson.warnings))
    network, origin = _begin(lesson, options)
    stride = tile_stride(network)
    if options.chip % stride:
        raise PlanError(
            f"samples of {options.chip} pixels do not suit this network; give --chip a "
            f"multiple of {stride}"
        )
    card = _card(network, lesson, options, _model_name(output), origin)
    settings = _settings(lesson, options)
    identity = {**lesson.identity, **_told(options), **_told(settings)}
    with Record.open(output, identity, options) as record:
        course = Course(network, settings)
        epochs = record.restore(course)
        watch = _Watch(lesson, stride, record, on_step, epochs, options.patience)
        watch.total = settings.steps
        carry_on(course, lesson.supply, watch.progress, watch.look)
        best = record.best(course)
        return _finish(best.cpu(), card, lesson, record, stride)


def prepare_lesson(
    scenes: Sequence[Path | str], labels: Path, options: TrainOptions
) -> Lesson:
    """Read scenes and labels, split them, and see whether they can be learned from.

    Raises:
        InputError: They cannot.

    """
    marks = open_labels(labels, column=options.class_field, width=options.line_width)
    scheme = read_scheme(options.classes) if options.classes else scheme_of(marks.names)
    warnings = check_scheme(scheme, marks.names)
    needs = bands_named(options.bands)
    opened = [open_scene(scene, needs=needs) for scene in scenes]
    bands = choose_bands(opened[0], options.bands)
    grounds, left_out = _grounds(opened, bands, marks, scheme)
    held_out = _splits(grounds, options, options.held_out_fold())
    watched = held_out
    if options.patience:
        watched = _splits(grounds, options, (options.held_out_fold() + 1) % FOLDS)
    corners = [
        a.training_corners(options.chip) & b.training_corners(options.chip)
        for a, b in zip(held_out, watched, strict=True)
    ]
    areas = [covered(corner, options.chip) for corner in corners]
    bands = statistics(grounds, areas, bands)
    _check_training(grounds, areas, scheme.legend)
    chips = [
        Chips.of(ground.normalised(bands), ground.labels, corner)
        for ground, corner, area in zip(grounds, corners, areas, strict=True)
        if (area & (ground.labels != NODATA)).any()
    ]
    pixels = [
        int((area & (ground.labels != NODATA)).sum())
        for ground, area in zip(grounds, areas, strict=True)
    ]
    seen = {
        f"{key} {place}": value
        for place, scene in enumerate(opened)
        for key, value in scene.identity().items()
    }
    return Lesson(
        tuple(grounds),
        bands,
        scheme.legend,
        tuple(held_out),
        tuple(watched),
        Supply(tuple(chips)),
        sum(pixels),
        {**seen, "labels": _digest(grounds), "legend": repr(scheme)},
        (*warnings, *left_out, *(w for scene in opened for w in scene.warnings)),
    )


def _grounds(
    scenes: Sequence[Scene],
    bands: tuple[InputBand, ...],
    marks: Burnable,
    scheme: Scheme,
) -> tuple[list[Ground], list[str]]:
    """Read each scene that has labels; refuse where none has."""
    grounds, misses = [], []
    for scene in scenes:
        try:
            ground = read_ground(scene, bands, marks, dict(scheme.channels))
        except LabelsError as error:
            misses.append(error)
        else:
            grounds.append(ground)
    if not grounds:
        raise misses[0]
    return grounds, [f"a scene is left out: {error}" for error in misses]


def _splits(grounds: Sequence[Ground], options: TrainOptions, fold: int) -> list[Split]:
    return [
        Split(
            ground.georef.height,
            ground.georef.width,
            fold,
            options.block,
            options.gap,
        )
        for ground in grounds
    ]


def _check_training(
    grounds: Sequence[Ground], areas: Sequence[NDArray[np.bool_]], legend: Legend
) -> None:
    """Refuse classes that the split left without a pixel to learn from."""
    counts = np.zeros(NODATA + 1, np.int64)
    for ground, area in zip(grounds, areas, strict=True):
        counts += np.bincount(ground.labels[area], minlength=NODATA + 1)
    missing = [each.name for place, each in enumerate(legend) if not counts[place]]
    if missing:
        raise LabelsError(
            f"no training pixel is left of {', '.join(missing)} after the split; "
            f"label more of it, merge it by --classes, or choose another --fold, a "
            f"smaller --block or --chip"
        )


def _digest(grounds: Sequence[Ground]) -> str:
    """Tell labels apart as they lie on the scenes."""
    digest = sha256()
    for ground in grounds:
        digest.update(ground.labels.tobytes())
    return digest.hexdigest()


def _told(what: object) -> dict[str, str]:
    """Write the fields of options as text; what changes no weight is left out."""
    outside = {"restart", "tensorboard", "epoch"}
    fields = asdict(what)  # type: ignore[call-overload]  # a dataclass of either kind
    return {k: repr(v) for k, v in fields.items() if k not in outside}


def _begin(lesson: Lesson, options: TrainOptions) -> tuple[torch.nn.Module, str]:
    """Make the network; tell what it had learned from before."""
    bands, legend = lesson.bands, lesson.legend
    if options.start:
        package = load_package(options.start)
        network = refined_network(package, bands, legend, options.seed)
        return network, f"the model {package.name} {package.version}"
    network = new_network(
        options.architecture, options.encoder, len(bands), len(legend), options.seed
    )
    if not options.encoder_weights:
        return network, ""
    load_encoder(network, find_encoder(options.encoder_weights), filters_of(bands))
    return network, options.encoder_weights


def _settings(lesson: Lesson, options: TrainOptions) -> TrainSettings:
    compute = resolve_compute(options.device, options.precision)
    shown = options.batch * options.chip**2
    steps = options.steps or int(np.clip(lesson.pixels // shown, 10, 200))
    return TrainSettings(
        seed=options.seed,
        steps=steps * options.epochs,
        batch=options.batch,
        learning_rate=options.learning_rate,
        warmup=min(50, steps * options.epochs // 10),
        weight_decay=options.weight_decay,
        bfloat16=compute.precision == "bfloat16",
        loss=options.loss,
        schedule=options.schedule,
        jitter=options.jitter,
        device=compute.device,
        epoch=steps,
    )


def _card(
    network: torch.nn.Module,
    lesson: Lesson,
    options: TrainOptions,
    name: str,
    origin: str,
) -> Card:
    """Describe the model; figures come later."""
    first = lesson.grounds[0]
    new = NewPackage(
        name=name,
        bands=("#1",),
        classes=("a", "b"),
        gsd_m=first.georef.gsd_m(),
        dtype=str(first.pixels.dtype),
        tile=options.tile,
        description=f"Land cover: {', '.join(c.name for c in lesson.legend)}.",
        trained_on=(
            f"{', '.join(ground.name for ground in lesson.grounds)}; blocks of "
            f"{options.block} pixels, fold {options.fold} held out"
        ),
    )
    kind = f"{type(network).__name__} with a {network.config['encoder_name']} encoder"  # type: ignore[index]  # smp has no types
    parameters = sum(each.numel() for each in network.parameters())
    card = describe(new, kind, parameters, tile_stride(network))
    return replace(
        card, bands=lesson.bands, legend=lesson.legend, pretrained_source=origin
    )


def _model_name(output: Path) -> str:
    """Make a model's name of its folder's, of signs that a name may have."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", output.absolute().name)
    short = not name[:1].isalpha() or len(name) < 3  # noqa: PLR2004  the least of a STAC id
    return f"model-{name}" if short else name


class _Watch:
    """Looks at a training after each epoch, and tells of it."""

    def __init__(  # what it looks at and whom it tells
        self,
        lesson: Lesson,
        stride: int,
        record: Record,
        on_step: OnStep,
        epochs: list[Epoch],
        patience: int,
    ) -> None:
        self.lesson, self.stride, self.record = lesson, stride, record
        self.on_step, self.epochs, self.patience = on_step, epochs, patience
        self.images = [g.normalised(lesson.bands) for g in lesson.grounds]
        self.total = 0

    def progress(self, step: int, _: float) -> None:
        """Tell how far the training is."""
        self.on_step(Step("train", step, self.total))

    def look(self, course: Course) -> bool:
        """Measure, keep, tell; True where nothing was gained for too long."""
        plan, lesson = course.settings, self.lesson
        labels = [
            np.where(split.test_area(), ground.labels, NODATA).astype(np.uint8)
            for ground, split in zip(lesson.grounds, lesson.watched, strict=True)
        ]
        network = course.averaged
        found = [
            predict_blocks(network, image, split, self.stride, plan.device)
            for image, split in zip(self.images, lesson.watched, strict=True)
        ]
        accuracy = measure(labels, found, lesson.legend)
        number = -(-course.step // plan.epoch)
        epoch = Epoch(
            number,
            course.step,
            float(np.mean(course.losses[-plan.epoch :])),
            plan.learning_rate_at(course.step - 1),
            accuracy.overall,
            accuracy.mean_f1,
            accuracy.mean_iou,
        )
        self.epochs.append(epoch)
        self.record.keep(course, self.epochs)
        self.on_step(Step("train", course.step, plan.steps, note=epoch.told()))
        best = max(self.epochs, key=lambda each: each.mean_f1)
        return bool(self.patience) and number - best.number >= self.patience


def _finish(
    network: torch.nn.Module, card: Card, lesson: Lesson, record: Record, stride: int
) -> Trained:
    """Store the network, measure what was stored, and let it appear."""
    network = network.float().eval()
    folder = record.package
    save_package(folder, network, card)
    stored = load_network(load_package(folder))
    labels = [
        np.where(split.test_area(), ground.labels, NODATA).astype(np.uint8)
        for ground, split in zip(lesson.grounds, lesson.held_out, strict=True)
    ]
    found = [
        predict_blocks(stored, ground.normalised(lesson.bands), split, stride)
        for ground, split in zip(lesson.grounds, lesson.held_out, strict=True)
    ]
    accuracy = measure(labels, found, lesson.legend)
    done = Trained(load_package(folder), accuracy, record.epochs, lesson.warnings)
    figures = {k: round(v, 4) for k, v in done.figures().items() if np.isfinite(v)}
    save_package(folder, network, replace(card, metrics=tuple(figures.items())))
    (folder / "accuracy.json").write_text(
        json.dumps(
            {
                **figures,
                "classes": [each.name for each in lesson.legend],
                "confusion": accuracy.matrix.tolist(),
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    draw_training(
        folder / "training.png",
        epochs=record.epochs,
        grounds=lesson.grounds,
        splits=lesson.held_out,
        found=found,
        legend=lesson.legend,
        bands=lesson.bands,
    )
    record.deliver()
    return replace(done, package=load_package(record.output))
