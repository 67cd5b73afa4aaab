"""Give a model package the temperature that labelled ground shows: calibrate()."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.errors import InputError, LabelsError, ModelError
from geoseg.evaluate.masks import split_of
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.models.compatibility import check_scale, in_models_unit
from geoseg.models.find import known_models
from geoseg.models.open_inputs import open_for
from geoseg.models.package.files import CARD
from geoseg.models.package.hub import SCHEME
from geoseg.models.package.new_folder import new_folder
from geoseg.models.package.package import read_json, read_package
from geoseg.models.package.reliability import put_calibration
from geoseg.overlay.labels import open_labels
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.normalise import by_scene
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.scene import SceneOptions
from geoseg.scene.mirrored import read_mirrored
from geoseg.storage.lock import locked_file
from geoseg.storage.staging import atomic_file
from geoseg.train.options import CalibrateOptions
from geoseg.train.reliability_plot import DIAGRAM, draw_reliability
from geoseg.train.temperature import SeenPixels, fit_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.splits import Split
    from geoseg.models.compatibility import Models
    from geoseg.models.package.package import ModelPackage
    from geoseg.scene import Inputs, Scene
    from geoseg.train.labelled_scenes import LabelSource
    from geoseg.train.temperature import FittedTemperature

_MOST = 1_000_000
"""Pixels that are looked at, in all: so many are enough for a single number."""
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class CalibratedModel:
    """What came of a calibration."""

    package: ModelPackage
    """The package, with its temperature."""
    warnings: tuple[str, ...]
    """What was left out, a sentence each."""


def calibrate_model(  # a model, ground, and how, each named by its caller
    model: Path | str,
    scene: Inputs,
    labels: Path | str,
    *,
    output: Path | None = None,
    options: CalibrateOptions | None = None,
    on_step: OnStep = ignore_step,
) -> CalibratedModel:
    """Fit the temperature of a model on labelled ground, and keep it in its package.

    The ground should be none that the model learned from: there it is surer than it
    is elsewhere, and the temperature too low.

    Args:
        model: A package's folder or name.
        scene: Imagery with the bands that the model needs, or the model's inputs by
            name.
        labels: Polygons, lines, points or a raster of classes, called as the model's.
        output: The folder of a new package; None to change the one that there is.
        options: Which of the ground.
        on_step: Called as tiles are predicted, from the calling thread.

    Returns:
        The package. Memory depends on the tile, and a million pixels at most.

    Raises:
        InputError: Something given cannot be used, or no temperature can be fitted;
            nothing was written.

    """
    options = options or CalibrateOptions()
    _check_output(model, output)
    on_step(Step("prepare"))
    opened, models = open_for([model], scene, SceneOptions(), on_step)
    check_scale(models, opened)
    opened = in_models_unit(models, opened)
    package = models[0][0]
    if not package.gives_scores:
        raise ModelError(
            f"the model {package.name} gives classes and no scores, whose certainty "
            f"could be fitted; export it without ArgMax"
        )
    marks = open_labels(labels, column=options.class_field)
    values, left_out = _channels(package, marks)
    on_step(Step("prepare", warnings=left_out))
    predictor = by_scene(_predictor(models, options), opened, on_step)
    split = split_of(options.held_out, options.held_out_block, opened.geobox)
    ground = _Ground(opened, marks, values, split, options.held_out_block)
    seen = SeenPixels.together(list(ground.look(predictor, package, on_step)))
    where = f"{opened.name}, " + (
        f"fold {options.held_out}" if split else "all labelled blocks"
    )
    fitted = fit_in_turn(seen, package.legend, where)
    return CalibratedModel(_keep(package, fitted, output), left_out)


def _check_output(model: Path | str, output: Path | None) -> None:
    """Refuse to change what belongs to geoseg, or to the Hub's cache."""
    if output is None and (
        str(model) in known_models() or str(model).startswith(SCHEME)
    ):
        raise InputError(
            f"{model} is not yours to change; give the folder of a new package with "
            f"`output`"
        )
    if output is not None and output.exists() and any(output.iterdir()):
        raise InputError(f"{output} exists; choose another folder, or remove it first")


def _channels(
    package: ModelPackage, marks: LabelSource
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Give the channel of each label that is a class of the model, and who is none."""
    channels = {each.name: channel for channel, each in enumerate(package.legend)}
    numbers = {str(each.id): channel for channel, each in enumerate(package.legend)}
    known = channels if any(name in channels for name in marks.names) else numbers
    found, lost = {}, []
    for name in dict.fromkeys(marks.names):
        called = [each for each in (name, *marks.also.get(name, ())) if each in known]
        if called:
            found[called[0]] = known[called[0]]
        else:
            lost.append(name)
    if not found:
        raise LabelsError(
            f"the model {package.name} knows {', '.join(channels)}, and the labels are "
            f"{', '.join(sorted(lost))}; call them alike, or choose another "
            f"`class_field`"
        )
    warning = f"labels that are no class of the model are left out: {', '.join(lost)}"
    return found, (*marks.warnings, *([warning] if lost else []))


def _predictor(models: Models, options: CalibrateOptions) -> TilePredictor:
    """Predict with the scores as they are, whatever temperature there was."""
    ((package, match),) = models
    plain = replace(package, temperature=1.0)
    compute = resolve_compute(options.device, "float32", batch=1)
    return TilePredictor.of([(plain, match.indices)], compute)


@dataclass(frozen=True, slots=True)
class _Ground:
    """Labelled ground of a scene, tile by tile."""

    scene: Scene
    marks: LabelSource
    values: dict[str, int]
    split: Split | None
    block: int

    def look(
        self, predictor: TilePredictor, package: ModelPackage, on_step: OnStep
    ) -> Iterator[SeenPixels]:
        """Predict each tile whose core has labels, and give its labelled pixels."""
        gridded = self.marks.on_grid(self.scene.geobox, self.values)
        cores = []
        for core in self._cores(package.tile - package.overlap):
            labels = gridded.read(core)
            if self.split is not None:
                labels = np.where(self.split.mask(core), labels, np.uint8(NODATA))
            if (labels != NODATA).any():
                cores.append((core, labels))
        if not cores:
            raise LabelsError(
                f"no label lies in {self.scene.name} where it is looked at; choose "
                f"another `held_out`, or leave it out"
            )
        share = -(-_MOST // len(cores))
        for done, (core, labels) in enumerate(cores):
            on_step(Step("infer", done=done, total=len(cores)))
            yield self._pixels(predictor, package.tile, core, labels, share)

    def _cores(self, step: int) -> Iterator[Window]:
        height, width = self.scene.geobox.height, self.scene.geobox.width
        for row in range(0, height, step):
            for col in range(0, width, step):
                yield Window(row, col, min(step, height - row), min(step, width - col))

    def _pixels(
        self,
        predictor: TilePredictor,
        tile: int,
        core: Window,
        labels: NDArray[np.uint8],
        most: int,
    ) -> SeenPixels:
        top, left = (tile - core.height) // 2, (tile - core.width) // 2
        view = Window(core.row - top, core.col - left, tile, tile)
        pixels, valid = read_mirrored(self.scene, view, predictor.bands)
        given = predictor(pixels[np.newaxis], valid[np.newaxis])[0].cpu().numpy()
        inside = slice(top, top + core.height), slice(left, left + core.width)
        rows, cols = np.nonzero((labels != NODATA) & valid[inside])
        if len(rows) > most:  # evenly, so that no chance decides
            some = np.linspace(0, len(rows) - 1, most).astype(np.int64)
            rows, cols = rows[some], cols[some]
        likely = given[:, *inside][:, rows, cols].T
        lines = (core.row + rows) // self.block, (core.col + cols) // self.block
        return SeenPixels(
            np.log(np.maximum(likely, _LEAST)),
            labels[rows, cols],
            lines[0] * (self.scene.geobox.width // self.block + 1) + lines[1],
        )


def _keep(
    package: ModelPackage, fitted: FittedTemperature, output: Path | None
) -> ModelPackage:
    """Write the temperature into the package, or into a copy of it."""
    if output is None:
        with locked_file(package.path):
            _keep_inside(package.path, fitted)
        return read_package(package.path)
    content = _with(read_json(package.path / CARD), fitted)
    with new_folder(output) as folder:
        for file in package.path.iterdir():
            if file.is_file():
                shutil.copyfile(file, folder / file.name)
        draw_reliability(folder / DIAGRAM, fitted.reliability, fitted.temperature)
        (folder / CARD).write_text(content, encoding="utf-8")
        read_package(folder)
    return read_package(output)


def _keep_inside(package: Path, fitted: FittedTemperature) -> None:
    """Write the temperature into a package, which is whole at any time.

    The picture of an earlier one goes first and the new one comes last: beside a card
    stands its own, or none.
    """
    content = _with(read_json(package / CARD), fitted)
    with atomic_file(package / DIAGRAM) as picture:
        draw_reliability(picture, fitted.reliability, fitted.temperature)
        with atomic_file(package / CARD) as card:
            card.write_text(content, encoding="utf-8")
            (package / DIAGRAM).unlink(missing_ok=True)


def _with(item: dict[str, Any], fitted: FittedTemperature) -> str:
    put_calibration(item, fitted.temperature, fitted.reliability)
    return json.dumps(item, indent=2) + "\n"
