"""geoseg train: labelled scenes in, a model package out."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.cards import calibration_of
from geoseg.cli.inputs import take_scene
from geoseg.cli.labelled import labelled
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.printing import show, show_json, show_line
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Trained


_HELD_OUT = "On held-out ground"


@click.command("train")
@labelled(required=True, inputs=True)
@flags_of(geoseg.TrainOptions)
@opening
@reporting
def command(
    scenes: tuple[str, ...],
    labels: tuple[str, ...],
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of TrainOptions
) -> None:
    """Train a model on each SCENE where it is labelled, and measure it elsewhere.

    \b
    For example:
      geoseg train scene.tif --labels labels.gpkg --class-field class -o my_model/
      geoseg train a.tif b.tif --labels labels.gpkg --from my_model/ -o refined/
      geoseg train --input before=2001.tif --input after=2013.tif \\
        --labels changes.gpkg -o changes/

    A fifth of the ground is held out in square blocks to measure on. A training that
    was stopped carries on when the same command is given again. Points, and polygons
    over fewer than 5,000 pixels, get a classifier of pixels instead, in seconds: the
    one that does best where ground is held out in turn.
    """
    inputs = take_scene(scenes, flags)
    options = options_of(geoseg.TrainOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        screen.show_step(geoseg.Step("prepare"))
        trained = geoseg.train(
            inputs, labels, output, options=options, on_step=screen.show_step
        )
    if as_json:
        show_json(_as_json(trained))
    elif not quiet:
        _show(trained)


def _as_json(trained: Trained) -> dict[str, object]:
    accuracy = trained.accuracy
    f1 = zip(trained.package.legend, accuracy.f1.tolist(), strict=True)
    found = trained.cross_validated
    return {
        "package": str(trained.package.path),
        "chosen": None if found is None else str(found.chosen),
        "held_out": {
            **trained.figures(),
            "pixels": accuracy.pixels,
            "f1": {each.name: v for each, v in f1},
        },
        "calibration": calibration_of(trained.package),
        "epochs": len(trained.epochs),
        "begins_with": trained.begins_with or None,
        "labelled_pixels": {
            each.name: {"training": each.training, "held_out": each.held_out}
            for each in trained.labelled
        },
        "warnings": list(trained.warnings),
    }


def _show(trained: Trained) -> None:
    accuracy, found = trained.accuracy, trained.cross_validated
    title = f"On held-out ground, {len(found.folds)} folds" if found else _HELD_OUT
    table = Table("class", title=title, title_justify="left")
    for heading in ("pixels", "F1", "IoU", *(("F1 of a fold",) if found else ())):
        table.add_column(heading, justify="right")
    intervals = [(str(each),) for each in found.f1] if found else repeat(())
    for each, pixels, f1, iou, more in zip(
        trained.package.legend,
        accuracy.in_reference,
        accuracy.f1,
        accuracy.iou,
        intervals,
        strict=bool(found),
    ):
        figures = f"{pixels:,}", f"{f1:.3f}", f"{iou:.3f}", *more
        table.add_row(escape(each.name), *figures)
    show(table)
    for name, value in trained.figures().items():
        show_line(f"{name:<17} {value:.3f}")
    if found:
        show_line(f"over the folds    {found.overall} overall accuracy (95 %)")
    package = trained.package
    if package.reliability is not None:
        show_line(
            f"temperature {package.temperature:g}: {package.reliability.sentence()}"
        )
    show_line(escape(str(package.path)))
