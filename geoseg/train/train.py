"""From scenes and labels to a model package: `train`."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import (
    DeviceError,
    InputError,
    OutputError,
    PlanError,
    needs,
)
from geoseg.evaluate import total
from geoseg.models.networks.network import load_network, save_package, tile_stride
from geoseg.models.package.naming import check_name, name_of_folder
from geoseg.models.package.new_card import describe
from geoseg.models.package.package import ModelPackage, read_package
from geoseg.options import NewPackage
from geoseg.predict import resolve_compute
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.report.training_page import PAGE, TrainingPage, write_training_page
from geoseg.storage.lock import locked_file
from geoseg.storage.spool import Spool
from geoseg.storage.staging import check_folder
from geoseg.train.applicability import training_vectors
from geoseg.train.checkpoint import Checkpoint, Epoch
from geoseg.train.curves import Picture, best_labelled, draw_training
from geoseg.train.dataset import (
    ClassLabels,
    LabelledInputs,
    TrainingData,
    open_given,
    prepare_dataset,
)
from geoseg.train.held_out import compare_block, most_of_a_block, predict_labelled
from geoseg.train.initial import begin
from geoseg.train.inputs import resolve_architecture
from geoseg.train.labelled_scenes import with_imagery
from geoseg.train.options import TrainOptions
from geoseg.train.pixelwise.fit import FittedPixels, fit_pixels
from geoseg.train.pixelwise.labelled import is_sparse
from geoseg.train.pixelwise.windows import WINDOWS
from geoseg.train.reliability_plot import DIAGRAM, draw_reliability
from geoseg.train.temperature import (
    SeenPixels,
    calibrated,
    calibration_record,
    fit_in_turn,
    fit_on_other_ground,
)
from geoseg.train.trainer import Trainer, TrainSettings, carry_on
from geoseg.train.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geoseg.evaluate import Accuracy
    from geoseg.geo.splits import Split
    from geoseg.models.package.card import Card
    from geoseg.train.labelled_scenes import Scenes
    from geoseg.train.pixelwise.choose import CrossValidated
    from geoseg.train.temperature import FittedTemperature


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
    begins_with: str
    """What the network had learned from before; empty where it began at random."""
    labelled: tuple[ClassLabels, ...]
    """How many labelled pixels each class has."""
    cross_validated: CrossValidated | None = None
    """Where it was fitted to pixels: how folds of ground differ, and what was tried.
    `accuracy` is of all folds together, then."""

    def figures(self) -> dict[str, float]:
        """Give the measures of held-out ground by name."""
        accuracy = self.accuracy
        return {
            "overall accuracy": accuracy.overall,
            "mean F1": accuracy.mean_f1,
            "mean IoU": accuracy.mean_iou,
        }


def train(
    scenes: Scenes,
    labels: Path | str | Sequence[Path | str],
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
        scenes: Rasters, each a scene of its own; a copy of their bands lies beside
            the output meanwhile, in a file without a name. Or inputs by name, which
            are one scene of all their bands: two dates, say, or a DEM beside.
        labels: Polygons, lines, points or a raster of classes, in any CRS; or several
            files of shapes, of which a later one lies on the earlier.
        output: The package's folder, which must not exist or be empty.
        options: How to train.
        on_step: Called after each step.

    Returns:
        The package and its figures.

    Raises:
        InputError: Something given cannot be used, or another training is under way
            there; nothing was written.
        TrainingError: The loss, a gradient or the output is no number.

    """
    options = options or TrainOptions()
    check_folder(output)
    check_name(name_of_folder(output.absolute().name))
    if options.tensorboard is not None:
        check_folder(options.tensorboard)
    with locked_file(output):
        return _train(scenes, labels, output, options, on_step)


def _train(
    scenes: Scenes,
    labels: Path | str | Sequence[Path | str],
    output: Path,
    options: TrainOptions,
    on_step: OnStep,
) -> Trained:
    """Train into a folder that nobody else writes."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} exists; choose another folder, or remove it first")
    if options.tensorboard:
        instead = "read the figures in training.csv"
        needs("tensorboard", "tensorboard", "`tensorboard`", instead=instead)
    on_step(Step("prepare"))
    given = open_given(scenes, labels, options)
    if _is_pixelwise(given, options):
        return _of_pixels(fit_pixels(given, options, output, on_step))
    if options.head is not None:
        raise InputError(
            f"a {options.architecture or 'network'} has no `head` to choose; those of "
            f"`architecture` context, pixel and probe have"
        )
    options = resolve_architecture(options, given.scenes, given.bands)
    spool = Spool(output.absolute().parent)
    dataset = prepare_dataset(scenes, labels, options, given, spool)
    options = dataset.options
    network, origin, warnings = begin(dataset.bands, dataset.legend, options)
    dataset = replace(dataset, warnings=(*dataset.warnings, *warnings))
    on_step(Step("prepare", warnings=dataset.warnings))
    for note in _beforehand(dataset, origin):
        on_step(Step("prepare", note=note))
    stride = tile_stride(network)
    _check_samples(options, stride)
    card = _card(network, dataset, name_of_folder(output.absolute().name), origin)
    card = with_imagery(card, given.scenes, given.dates)
    settings = resolve_settings(dataset)
    identity = {**dataset.identity, **_values_of(options), **_values_of(settings)}
    with Checkpoint.open(output, identity, options) as checkpoint:
        trainer = Trainer(network, settings)
        validation = Validator(
            dataset, stride, checkpoint, on_step, checkpoint.restore(trainer)
        )
        try:
            carry_on(trainer, dataset.sampler, validation.progress, validation.look)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{settings.device} ran out of memory with {options.batch} chips of "
                f"{options.chip} pixels in a batch; begin anew with `restart` and a "
                f"smaller `batch` or `chip`"
            ) from error
        best = checkpoint.best(trainer)
        return _finish(best.cpu(), card, dataset, checkpoint, on_step)


def _check_samples(options: TrainOptions, stride: int) -> None:
    """Refuse samples that the network's grid, or its statistics, cannot take.

    Raises:
        PlanError: It is one of them.

    """
    if options.chip % stride:
        raise PlanError(
            f"samples of {options.chip} pixels do not suit this network; give `chip` a "
            f"multiple of {stride}"
        )
    if options.batch == 1 and options.chip == stride:
        raise PlanError(
            f"one sample of {options.chip} pixels is one value to the network's "
            f"coarsest layer, which has no deviation; give a greater `batch` or `chip`"
        )


def _is_pixelwise(given: LabelledInputs, options: TrainOptions) -> bool:
    """Whether a classifier of pixels is asked for, or fits labels that are few."""
    if options.architecture is not None:
        return options.architecture in WINDOWS
    if options.head is not None:
        return True
    return not options.of_networks() and is_sparse(given)


def _of_pixels(fitted: FittedPixels) -> Trained:
    """Describe a fit as trainings are described."""
    counts = zip(fitted.package.legend, fitted.counts.tolist(), strict=True)
    return Trained(
        fitted.package,
        fitted.found.pooled,
        (),
        fitted.warnings,
        begins_with="",
        labelled=tuple(ClassLabels(each.name, n, n) for each, n in counts),
        cross_validated=fitted.found,
    )


def _beforehand(dataset: TrainingData, origin: str) -> Iterator[str]:
    """Say what a training begins with."""
    yield f"the network begins {f'taught by {origin}' if origin else 'at random'}"
    yield f"labelled pixels: {', '.join(map(str, dataset.labelled))}"


def _values_of(what: object) -> dict[str, str]:
    """Write the fields of options as text; what changes no weight is left out."""
    outside = {"restart", "tensorboard", "epoch"}
    fields = asdict(what)  # type: ignore[call-overload]  # a dataclass of either kind
    return {k: repr(v) for k, v in fields.items() if k not in outside}


def resolve_settings(dataset: TrainingData) -> TrainSettings:
    """Settle what the options leave open: steps, precision, and what hangs on them.

    Raises:
        InputError: The device or precision asked for is not to be had here.

    """
    options = dataset.options
    compute = resolve_compute(options.device, options.precision)
    shown = options.batch * options.chip**2
    epoch = options.steps or int(np.clip(dataset.pixels // shown, 25, 200))
    steps = epoch * options.epochs
    return TrainSettings(
        seed=options.seed,
        steps=steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        warmup=min(50, steps // 10),
        weight_decay=options.weight_decay,
        # Weights of the first steps are forgotten in a short training, too.
        average=min(0.99, max(1 - 5 / steps, 0)),
        precision=compute.precision,
        loss=options.loss,
        schedule=options.schedule,
        jitter=options.jitter,
        device=compute.device,
        epoch=epoch,
    )


def _card(
    network: torch.nn.Module,
    dataset: TrainingData,
    name: str,
    origin: str,
) -> Card:
    """Describe the model; figures come later."""
    options = dataset.options
    first = dataset.grounds[0]
    new = NewPackage(
        name=name,
        bands=("#1",),
        classes=("a", "b"),
        gsd_m=float(f"{first.geobox.gsd_m():.3g}"),
        dtype=str(first.pixels.dtype),
        tile=options.tile,
        description=f"Land cover: {', '.join(c.name for c in dataset.legend)}.",
        trained_on=(
            f"{', '.join(ground.name for ground in dataset.grounds)}; blocks of "
            f"{options.block} pixels, fold {options.fold} held out"
        ),
    )
    kind = f"{type(network).__name__} with a {network.config['encoder_name']} encoder"  # type: ignore[index]  # smp has no types
    parameters = sum(each.numel() for each in network.parameters())
    card = describe(new, kind, parameters, tile_stride(network))
    return replace(
        card, bands=dataset.bands, legend=dataset.legend, pretrained_source=origin
    )


def _finish(
    network: torch.nn.Module,
    card: Card,
    dataset: TrainingData,
    checkpoint: Checkpoint,
    on_step: OnStep,
) -> Trained:
    """Store the network, measure what was stored, and let it appear."""
    network = network.float().eval()
    stride = tile_stride(network)
    folder = checkpoint.package
    save_package(folder, network, card)
    vectors = training_vectors(*dataset.training_pixels(), dataset.options.seed)
    if vectors is not None:
        vectors.save(folder)
    stored = load_network(read_package(folder))
    accuracy, pictures, seen = _predict(stored, dataset, dataset.held_out, stride)
    done = Trained(
        read_package(folder),
        accuracy,
        checkpoint.epochs,
        dataset.warnings,
        begins_with=card.pretrained_source,
        labelled=dataset.labelled,
    )
    card, uncalibrated = calibrated(
        card, lambda: _fit_temperature(stored, dataset, seen, stride)
    )
    if uncalibrated:
        done = replace(done, warnings=(*done.warnings, *uncalibrated))
        on_step(Step("prepare", warnings=uncalibrated))
    if card.reliability is not None:
        draw_reliability(folder / DIAGRAM, card.reliability, card.temperature)
    figures = {k: round(v, 4) for k, v in done.figures().items() if np.isfinite(v)}
    save_package(folder, network, replace(card, metrics=tuple(figures.items())))
    (folder / "accuracy.json").write_text(
        json.dumps(
            {
                **figures,
                **calibration_record(card, uncalibrated),
                "classes": [each.name for each in dataset.legend],
                "confusion": accuracy.matrix.tolist(),
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    draw_training(
        folder / "training.png",
        epochs=checkpoint.epochs,
        grounds=dataset.grounds,
        pictures=pictures,
        legend=dataset.legend,
        bands=dataset.bands,
    )
    _write_page(folder, card, done)
    checkpoint.deliver()
    return replace(done, package=read_package(checkpoint.output))


def _write_page(folder: Path, card: Card, done: Trained) -> None:
    """Leave the page that people open to see what a training came to."""
    accuracy = done.accuracy
    measured = card.reliability
    error = {"expected calibration error": measured.error_after} if measured else {}
    write_training_page(
        folder / PAGE,
        TrainingPage(
            title=card.name,
            subtitle=card.trained_on,
            figures=done.figures() | error,
            legend=card.legend,
            confusion=accuracy.matrix,
            by_class={
                "F1": accuracy.f1,
                "IoU": accuracy.iou,
                "producer's": accuracy.producers,
                "user's": accuracy.users,
            },
            pictures={
                "The learning curve, and held-out ground": folder / "training.png",
                "Confidence beside what came true": folder / DIAGRAM,
            },
            epochs=[astuple(each) for each in done.epochs],
            epoch_heads=[each.name.replace("_", " ") for each in fields(Epoch)],
            warnings=done.warnings,
        ),
    )


def _predict(
    network: torch.nn.Module,
    dataset: TrainingData,
    splits: Sequence[Split],
    stride: int,
) -> tuple[Accuracy, list[Picture], SeenPixels]:
    """Predict blocks of each scene: how well, pictures, and labelled pixels' logits."""
    wanted = best_labelled(dataset.grounds, splits)
    most = most_of_a_block(splits)
    compared: list[Accuracy] = []
    pictures: list[Picture] = []
    seen: list[SeenPixels] = []
    for index, (ground, image, split) in enumerate(
        zip(dataset.grounds, dataset.images(), splits, strict=True)
    ):
        for part, found, pixels in predict_labelled(
            network, image, ground.labels, split, stride=stride, most=most
        ):
            compared.append(compare_block(ground.labels[part], found, dataset.legend))
            seen.append(pixels)
            if (index, part) in wanted:
                pictures.append(Picture(index, part, found))
    pictures.sort(key=lambda each: wanted.index((each.scene, each.part)))
    return total(compared), pictures, SeenPixels.of_blocks(seen)


def _fit_temperature(
    network: torch.nn.Module, dataset: TrainingData, seen: SeenPixels, stride: int
) -> FittedTemperature:
    """Fit a temperature on ground that the figures beside it are not of.

    That is the fold on which epochs were compared; where there is none, each held-out
    block is measured by the temperature of the others.

    Raises:
        LabelsError: None can be fitted.

    """
    ground = f"held-out blocks, fold {dataset.options.fold}"
    if not dataset.options.patience:
        return fit_in_turn(seen, dataset.legend, ground)
    *_, known = _predict(network, dataset, dataset.validated, stride)
    return fit_on_other_ground(known, seen, dataset.legend, ground)
