"""From few labels to a model package: choose a classifier, fit it, write it."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import DiskError, InputError, ModelError
from geoseg.geo.embeddings import MANY
from geoseg.models.networks.network import save_package
from geoseg.models.networks.pixelwise import ContextFeatures, ProbeFeatures
from geoseg.models.package.naming import name_of_folder
from geoseg.models.package.new_card import describe
from geoseg.models.package.package import read_package
from geoseg.options import NewPackage
from geoseg.progress import Step
from geoseg.report.training_page import PAGE, TrainingPage, write_training_page
from geoseg.storage.renames import rename
from geoseg.train.applicability import training_vectors
from geoseg.train.labelled_scenes import with_imagery
from geoseg.train.pixelwise.choose import (
    CrossValidated,
    band_importance,
    cross_validate,
)
from geoseg.train.pixelwise.ground_folds import (
    draw_folds,
    ground_cells,
    on_shared_planes,
)
from geoseg.train.pixelwise.heads import (
    STRENGTHS,
    FitRecipe,
    fit_classifier,
    recipes,
    to_network,
)
from geoseg.train.pixelwise.labelled import LabelledPixels, read_labelled
from geoseg.train.pixelwise.probe import Probe, open_probe
from geoseg.train.pixelwise.windows import SMOOTHING, WINDOWS, reach
from geoseg.train.reliability_plot import DIAGRAM, draw_reliability
from geoseg.train.temperature import calibrated, calibration_record, fit_in_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.networks.pixelwise import Pixelwise
    from geoseg.models.package.card import Card
    from geoseg.models.package.package import ModelPackage
    from geoseg.progress import OnStep
    from geoseg.train.dataset import LabelledInputs
    from geoseg.train.options import TrainOptions
    from geoseg.train.pixelwise.neighbourhoods import Neighbourhoods

NO_SAMPLE = (
    "these figures compare models; points that somebody chose are no probability "
    "sample, and say nothing of a map's accuracy or areas: draw points for that by "
    "geoseg sample-points"
)
"""What a figure of hand-drawn labels is, and what it is not."""
_MOST = 3000
"""Pixels of a class that are learned from: more teach such classifiers nothing."""
_TILE = 256
_OF_PROBES = ("start", "encoder", "encoder_weights")
"""Options of networks that say which one is probed."""


@dataclass(frozen=True, slots=True)
class FittedPixels:
    """What came of a fit."""

    package: ModelPackage
    """The package that was written."""
    found: CrossValidated
    """How well it, and what it was chosen from, did on held-out ground."""
    counts: NDArray[np.int64]
    """The labelled pixels of each class."""
    warnings: tuple[str, ...]
    """What was left out, and what figures are not, a sentence each."""


def check_pixelwise(options: TrainOptions) -> None:
    """Refuse options that a fit to pixels does not have.

    Raises:
        ModelError: There is no such head.
        InputError: Something is asked for that networks alone have.

    """
    if options.head is not None and options.head not in STRENGTHS:
        raise ModelError(
            f"a head is one of {', '.join(STRENGTHS)}, got {options.head!r}"
        )
    allowed = _OF_PROBES if options.architecture == "probe" else ()
    given = [name for name in options.of_networks() if name not in allowed]
    if given:
        raise InputError(
            f"a model fitted to pixels has no {', '.join(given)}; leave that out, or "
            f"give a network by `architecture`, such as Unet"
        )


def fit_pixels(
    given: LabelledInputs, options: TrainOptions, output: Path, on_step: OnStep
) -> FittedPixels:
    """Fit what is chosen on held-out ground, and write a package.

    Raises:
        InputError: The labels cannot be used; nothing was written.

    """
    check_pixelwise(options)
    tried = _to_try(given, options)
    architectures = {each.architecture for each in tried}
    legend = given.class_mapping.legend
    probe = None
    if "probe" in architectures:
        probe = open_probe(given, options)
    pixels = read_labelled(given, _halo(architectures, probe))
    probe = probe and probe.on(pixels.bands)
    names = [each.name for each in legend]
    counts = np.bincount(pixels.channels, minlength=len(legend))
    counted = ", ".join(f"{n} {c:,}" for n, c in zip(names, counts, strict=True))
    on_step(Step("prepare", note=f"labelled pixels: {counted}"))
    cells = ground_cells(_on_ground(pixels, given), pixels.channels, names)
    some = _some(pixels.channels, options.seed)
    features = {each: _features(pixels, each, probe)[some] for each in architectures}
    channels = pixels.channels[some]
    found = cross_validate(tried, features, channels, cells[some], legend, options.seed)
    if len(tried) > 1:
        on_step(Step("prepare", note=found.sentence()))
    count, own = len(pixels.bands), features[found.chosen.architecture].own
    fitted = fit_classifier(found.chosen, own, channels, options.seed)
    vectors = training_vectors(
        pixels.values[some],
        draw_folds(cells[some], channels, options.seed),
        options.seed,
        # What a network knows is of all bands at once.
        None if probe else band_importance(fitted, own, channels, count, options.seed),
    )
    network = to_network(found.chosen, fitted, count, len(legend), probe)
    card = _card(network, given, pixels, found, output, probe)
    ground = "labelled pixels of other folds"
    card, uncalibrated = calibrated(
        card, lambda: fit_in_turn(found.held_out, legend, ground)
    )
    warnings = (*given.warnings, NO_SAMPLE, *uncalibrated)
    on_step(Step("prepare", warnings=warnings))
    with _appearing(output) as folder:
        save_package(folder, network, card, half=False)
        if vectors is not None:
            vectors.save(folder)
        if card.reliability is not None:
            draw_reliability(folder / DIAGRAM, card.reliability, card.temperature)
        figures = {**_figures(found, names), **calibration_record(card, uncalibrated)}
        text = json.dumps(figures, indent=2) + "\n"
        (folder / "accuracy.json").write_text(text, encoding="utf-8")
        _write_page(folder, card, found, warnings)
    return FittedPixels(read_package(output), found, counts, warnings)


def _to_try(given: LabelledInputs, options: TrainOptions) -> list[FitRecipe]:
    """List what is tried; many bands are taken as they are where nothing is said.

    Learned features hold what is around a pixel, and what windows would add to those of
    imaging spectrometers costs seven times as much. A linear classifier of them is
    what they are made for, and mapped at the speed of reading.
    """
    has_many = len(given.bands) > MANY
    architecture = options.architecture
    if architecture is None and has_many:
        architecture = "pixel"
    return list(recipes(architecture, options.head, averages=not has_many))


def _write_page(
    folder: Path, card: Card, found: CrossValidated, warnings: tuple[str, ...]
) -> None:
    """Leave the page that people open to see what a fit came to."""
    pooled = found.pooled
    tried = {f"overall accuracy of {name}": value for name, value in found.tried[:8]}
    write_training_page(
        folder / PAGE,
        TrainingPage(
            title=card.name,
            subtitle=f"{card.architecture}; {card.trained_on}",
            figures=_rounded(found) | tried,
            legend=card.legend,
            confusion=pooled.matrix,
            by_class={
                "F1": pooled.f1,
                "IoU": pooled.iou,
                "mean F1 of a fold": [each.mean for each in found.f1],
                "95 % ±": [each.half for each in found.f1],
            },
            pictures={"Confidence beside what came true": folder / DIAGRAM},
            warnings=warnings,
        ),
    )


def _on_ground(pixels: LabelledPixels, given: LabelledInputs) -> NDArray[np.int64]:
    """Give pixels positions by which those of one place are in one fold."""
    planes = [scene.geobox for scene in given.scenes]
    return on_shared_planes(pixels.positions, planes)


def _halo(architectures: Collection[str], probe: Probe | None) -> int:
    """Say how many pixels around labelled ones are looked at."""
    farthest = max(reach(each) for each in architectures)
    return max(farthest, probe.overlap // 2 if probe else 0)


def _features(
    pixels: LabelledPixels, architecture: str, probe: Probe | None
) -> Neighbourhoods:
    """Make a kind of features of labelled pixels, and around them."""
    smoothing = SMOOTHING[architecture]
    context = ContextFeatures(len(pixels.bands), WINDOWS[architecture])
    if architecture != "probe" or probe is None:
        return pixels.features(context, smoothing=smoothing)
    layers = ProbeFeatures(context, probe.module(), probe.own)
    return pixels.features(layers, probe.stride, smoothing)


def _some(channels: NDArray[np.uint8], seed: int) -> NDArray[np.int64]:
    """Choose the pixels that are learned from: all, but of classes that have many."""
    random = np.random.default_rng(seed)
    each = (np.flatnonzero(channels == channel) for channel in np.unique(channels))
    drawn = [
        random.choice(rows, _MOST, replace=False) if len(rows) > _MOST else rows
        for rows in each
    ]
    return np.sort(np.concatenate(drawn))


def _card(
    network: Pixelwise,
    given: LabelledInputs,
    pixels: LabelledPixels,
    found: CrossValidated,
    output: Path,
    probe: Probe | None,
) -> Card:
    legend = given.class_mapping.legend
    scenes = ", ".join(scene.name for scene in given.scenes)
    new = NewPackage(
        name=name_of_folder(output.absolute().name),
        bands=("#1",),
        classes=("a", "b"),
        gsd_m=float(f"{given.scenes[0].geobox.gsd_m():.3g}"),
        dtype=str(given.scenes[0].dtype),
        tile=probe.tile if probe else _TILE,
        overlap=probe.overlap if probe else 2 * reach(found.chosen.architecture),
        description=f"Land cover: {', '.join(c.name for c in legend)}.",
        trained_on=f"{len(pixels.channels):,} labelled pixels of {scenes}",
        metrics=tuple(_rounded(found).items()),
    )
    parameters = sum(each.numel() for each in network.state_dict().values())
    stride = probe.stride if probe else 1
    card = describe(new, f"Pixelwise, {found.chosen}", parameters, stride)
    source = probe.source if probe else ""
    card = replace(
        card,
        bands=pixels.bands,
        legend=legend,
        pretrained_source=source,
        attribution=probe.attribution if probe else "",
    )
    return with_imagery(card, given.scenes, given.dates)


def _rounded(found: CrossValidated) -> dict[str, float]:
    pooled = found.pooled
    return {
        "overall accuracy": round(pooled.overall, 4),
        "mean F1": round(pooled.mean_f1, 4),
        "mean IoU": round(pooled.mean_iou, 4),
    }


def _figures(found: CrossValidated, names: list[str]) -> dict[str, object]:
    """Return what ``accuracy.json`` holds."""

    def interval(name: str) -> dict[str, float | None]:
        each = dict(zip(names, found.f1, strict=True))[name]
        pair = {"mean": each.mean, "half": each.half}
        return {k: round(v, 4) if np.isfinite(v) else None for k, v in pair.items()}

    return {
        **_rounded(found),
        "classes": names,
        "confusion": found.pooled.matrix.tolist(),
        "folds": [round(each.overall, 4) for each in found.folds],
        "F1 over the folds": {name: interval(name) for name in names},
        "chosen": str(found.chosen),
        "tried": {str(recipe): round(value, 4) for recipe, value in found.tried},
        "note": NO_SAMPLE,
    }


@contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """Make a package in a hidden folder and let it appear when it is whole.

    Raises:
        DiskError: It cannot be written.

    """
    hidden = output.with_name(f".{output.name}.training")
    try:
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(parents=True)
        yield hidden
        if output.exists():
            output.rmdir()
        rename(hidden, output)
    except OSError as error:
        raise DiskError(
            f"cannot write {output}: {error.strerror or error}; make room or access "
            f"there and run the same command again"
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
