"""A map that follows its labels: `live` fits and maps anew at each save."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import shapely

from geoseg.errors import GeosegError, InputError, LabelsError
from geoseg.overlay.aoi import read_aoi
from geoseg.overlay.labels import Labels, open_labels
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.run.segment import segment
from geoseg.storage.lock import locked_file
from geoseg.storage.renames import rename
from geoseg.storage.staging import check_folder
from geoseg.train.labelled_scenes import open_scenes
from geoseg.train.live.labels_file import LabelsFile
from geoseg.train.live.options import LiveOptions
from geoseg.train.train import Trained, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from geoseg.overlay.aoi import Area
    from geoseg.report.report import Report
    from geoseg.scene import Inputs
    from geoseg.train.labelled_scenes import Scenes

_MODEL = "model"
"""The folder of the model in the output."""
_FITTING = ".fitting"
"""Where a model is made, in the output."""


@dataclass(frozen=True, slots=True)
class LiveMap:
    """What came of a save of the labels."""

    number: int
    """Which save of other labels it was, counted from 1."""
    seconds: float
    """From when the save was noticed to when the map was there, or was refused."""
    refusal: str
    """Why there is no new map, a sentence; an empty string where there is one."""
    trained: Trained | None = None
    """The model, and its figures on held-out ground; None where there is no map."""
    report: Report | None = None
    """What ``run.json`` holds; None where there is no map."""


def live(  # noqa: PLR0913  # what train and segment take together
    scene: Inputs,
    labels: Path | str,
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: LiveOptions | None = None,
    on_map: Callable[[LiveMap], None] = lambda _: None,
    on_step: OnStep = ignore_step,
) -> None:
    """Map a scene by a few labels, and again each time that these are saved.

    It goes on until it is interrupted (Ctrl-C, ``KeyboardInterrupt``). The output
    holds what `geoseg.segment` writes and, in ``model``, what `geoseg.train` does, of
    the last labels that made a map: whole files, at any time. Labels of which no model
    can be made are reported, and the last map stays.

    Args:
        scene: What to map: a raster, a folder or a pattern of several, a URL, an item.
            Or inputs by name, as `geoseg.train` takes them.
        labels: Points, lines or polygons with a class, or a raster of classes; in a
            GeoPackage, which may be open in QGIS meanwhile, or any other file.
        output: The folder for map and model.
        aoi: What to map no more than, as `geoseg.segment` takes it.
        options: How to fit and to map.
        on_map: Called after each save, with what came of it.
        on_step: Called with the warnings of models and maps.

    Raises:
        InputError: The scene, the area or the options cannot be used, there is no file
            of labels, or another process writes there; nothing was written.

    """
    options, output = options or LiveOptions(), Path(output)
    path = Path(str(labels).partition("|")[0])
    if not path.exists():
        raise LabelsError(
            f"{path} does not exist; make a file of labels, for instance a layer of "
            f"points with a column class, and give that"
        )
    check_folder(output)
    job = _Job(scene, labels, output, aoi, options, on_step)
    (opened,), _ = open_scenes(job.scenes, options.to_train())
    if aoi is not None:
        read_aoi(aoi, opened.geobox)
    file, known = LabelsFile(path), ""
    with locked_file(output / _MODEL):
        numbers = count(1)
        while True:
            file.wait_for_save()
            began = time.monotonic()
            found = job.labels_mark()
            if found and found == known:
                continue  # saved as it was
            known = found
            on_map(job.run(next(numbers), began))


@dataclass(frozen=True, slots=True)
class _Job:
    """What is done at each save."""

    scene: Inputs
    labels: Path | str
    output: Path
    aoi: Area | None
    options: LiveOptions
    on_step: OnStep

    @property
    def scenes(self) -> Scenes:
        """What is learned from."""
        return self.scene if isinstance(self.scene, Mapping) else [self.scene]

    def labels_mark(self) -> str:
        """Distinguish labels; nothing of rasters, and of what cannot be read."""
        try:
            marks = open_labels(self.labels, column=self.options.class_field)
        except InputError:
            return ""
        if not isinstance(marks, Labels):
            return ""
        digest = sha256(repr(marks.names).encode())
        for shape in shapely.to_wkb(marks.shapes):
            digest.update(shape)
        return digest.hexdigest()

    def run(self, number: int, began: float) -> LiveMap:
        """Fit and map; say why where that cannot be done."""
        try:
            trained = self._fit()
            report = segment(
                self.scene,
                self.output,
                aoi=self.aoi,
                options=self.options.to_segment(self.output / _MODEL),
                on_step=self._warn,
            )
        except GeosegError as error:
            return LiveMap(number, time.monotonic() - began, str(error))
        return LiveMap(number, time.monotonic() - began, "", trained, report)

    def _fit(self) -> Trained:
        """Make a model, and replace the last one by it."""
        hidden, final = self.output / _FITTING, self.output / _MODEL
        shutil.rmtree(hidden, ignore_errors=True)
        try:
            trained = train(
                self.scenes,
                self.labels,
                hidden / _MODEL,
                options=self.options.to_train(),
                on_step=self._warn,
            )
            shutil.rmtree(final, ignore_errors=True)
            rename(hidden / _MODEL, final)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        return trained

    def _warn(self, step: Step) -> None:
        """Hand on what should be known; the rest is too quick to be watched."""
        if step.warnings:
            self.on_step(Step("prepare", warnings=step.warnings))
