"""geoseg train: labelled scenes in, a model package out."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import models
from geoseg.cli.labelled import labelled
from geoseg.cli.options import reporting
from geoseg.cli.paper import show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.cli.values import a_path

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Trained


_HELD_OUT = "On held-out ground"


@click.command("train")
@labelled(required=True)
@click.option(
    "--from",
    "start",
    shell_complete=models,
    metavar="PACKAGE",
    help="Go on from this model: fine-tuning.",
)
@click.option(
    "--architecture",
    metavar="NAME",
    help="context or pixel, fitted to pixels in seconds; Unet or another network "
    "[default: what few labels fit best; Unet for many].",
)
@click.option(
    "--head",
    type=click.Choice(["discriminant", "logistic", "mlp", "forest"]),
    help="Of context and pixel [default: the best on held-out ground].",
)
@click.option("--encoder", default="tu-tf_efficientnet_lite0", show_default=True)
@click.option(
    "--encoder-weights",
    metavar="FILE|PACKAGE|hf://OWNER/NAME|none",
    default="auto",
    help="What the encoder begins with [default: ImageNet, where installed].",
)
@click.option("--tile", type=int, default=256, show_default=True, help="Of the model.")
@click.option("--epochs", type=int, default=20, show_default=True)
@click.option("--steps", type=int, help="Batches an epoch [default: by the labels].")
@click.option("--batch", type=int, default=8, show_default=True, help="Chips a batch.")
@click.option("--learning-rate", type=float, default=2.5e-3, show_default=True)
@click.option("--weight-decay", type=float, default=0.05, show_default=True)
@click.option(
    "--loss",
    type=click.Choice(["dice+cross-entropy", "cross-entropy", "focal", "lovasz"]),
    default="dice+cross-entropy",
    show_default=True,
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "one-cycle"]),
    default="cosine",
    show_default=True,
    help="Of the learning rate.",
)
@click.option(
    "--jitter",
    type=float,
    default=0.1,
    show_default=True,
    help="How far brightness varies, in deviations; 0 for none.",
)
@click.option(
    "--patience",
    type=int,
    default=0,
    show_default=True,
    help="Epochs without gain on another held-out fold before it stops; 0: never.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
)
@click.option("--tensorboard", type=a_path, help="Folder for TensorBoard's files.")
@click.option("--restart", is_flag=True, help="Throw an interrupted training away.")
@reporting
def command(
    scenes: tuple[str, ...],
    labels: str,
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

    A fifth of the ground is held out in square blocks to measure on. A training that
    was stopped carries on when the same command is given again. Points, and polygons
    over fewer than 5,000 pixels, get a classifier of pixels instead, in seconds: the
    one that does best where ground is held out in turn.
    """
    options = geoseg.TrainOptions(**flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        trained = geoseg.train(
            scenes, labels, output, options=options, on_step=screen.show_step
        )
    if as_json:
        show_json(_told(trained))
    elif not quiet:
        _show(trained)


def _told(trained: Trained) -> dict[str, object]:
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
    show_line(escape(str(trained.package.path)))
