"""geoseg models package: a package made of bare weights, or of an archive."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.cards import card_of
from geoseg.cli.options import reporting
from geoseg.cli.paper import say, show_json
from geoseg.cli.screen import Screen
from geoseg.cli.values import a_path

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import ModelPackage

Command = Callable[..., None]


def _numbers(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Read numbers with commas between them."""
    try:
        return tuple(float(part) for part in value.split(",")) if value else None
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is not numbers with commas between them"
        ) from error


def _metrics(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    """Read NAME=VALUE."""
    pairs = [value.partition("=") for value in values]
    try:
        return tuple((name, float(number)) for name, _, number in pairs)
    except ValueError as error:
        raise click.BadParameter(f"{', '.join(values)}: not NAME=VALUE") from error


_DESCRIBING = (
    click.option("--name", help="The model's name [default: the folder's]."),
    click.option(
        "--bands",
        metavar="NAME,NAME",
        help="Bands in the network's order: B02, B02=blue, or #3 for a scene's third.",
    ),
    click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="NAME[:VALUE[:#RRGGBB]]",
        help="A class for each output channel, in their order; repeatable.",
    ),
    click.option("--gsd", "gsd_m", type=float, help="Metres a pixel."),
    click.option("--gsd-tolerance", type=float, help="As a share [default: 0.25]."),
    click.option(
        "--architecture", help="Such as Unet; see geoseg models architectures."
    ),
    click.option("--encoder", help="Such as resnet18."),
    click.option(
        "--config",
        type=a_path,
        help="The network's config.json [default: beside WEIGHTS].",
    ),
    click.option(
        "--mean", callback=_numbers, help="Of scaled pixels, one or each band's."
    ),
    click.option(
        "--std", callback=_numbers, help="Of scaled pixels, one or each band's."
    ),
    click.option(
        "--normalise",
        type=click.Choice(["training", "scene"]),
        help="By --mean and --std, or by each scene's own statistics "
        "[default: training].",
    ),
    click.option(
        "--percentiles",
        type=(float, float),
        metavar="LOW HIGH",
        help="With --normalise scene: stretch each band between these to 0..1, and "
        "clip.",
    ),
    click.option("--scale", type=float, help="What raw pixels are multiplied with."),
    click.option("--offset", type=float, help="What is added to them after that."),
    click.option("--dtype", help="Of raw pixels [default: uint16]."),
    click.option(
        "--value-range",
        type=(float, float),
        help="The least and the greatest raw pixel trained on.",
    ),
    click.option("--tile", type=int, help="Tile side in pixels [default: 256]."),
    click.option("--overlap", type=int, help="[default: about a quarter of a tile]"),
    click.option("--stride", type=int, help="[default: the network's; 32 for ONNX]"),
    click.option(
        "--activation",
        type=click.Choice(["softmax", "sigmoid", "none"]),
        help="What makes probabilities of the output [default: what a trial shows].",
    ),
    click.option(
        "--output-name", help="The ONNX output that is the scores, of several."
    ),
    click.option("--prefix", help="Which weights of several in a file: model_ema."),
    click.option("--version", help="Of the weights [default: 1]."),
    click.option("--description", help="What the model is for."),
    click.option("--license", help="Of the weights [default: other]."),
    click.option("--trained-on", help="What it was trained on, in words."),
    click.option(
        "--metric",
        "metrics",
        callback=_metrics,
        multiple=True,
        metavar="NAME=VALUE",
        help="How well it did; repeatable.",
    ),
)
"""Flags for what weights do not say: the fields of NewPackage."""


def describing(command: Command) -> Command:
    """Give a command those flags."""
    return reduce(lambda told, flag: flag(told), reversed(_DESCRIBING), command)


def said(flags: dict[str, Any]) -> geoseg.NewPackage:
    """Make of them what is said of weights."""
    given = {name: value for name, value in flags.items() if value not in {None, ()}}
    bands = given.get("bands", "").split(",")
    given["bands"] = tuple(part for part in bands if part)
    return geoseg.NewPackage(**given)


@click.command("package")
@click.argument("weights", type=a_path, required=False)
@click.option(
    "--from-checkpoint",
    type=a_path,
    help="Instead of WEIGHTS a pickled .pt or .pth, read as tensors alone.",
)
@click.option("--output", "-o", type=a_path, required=True, help="Folder to make.")
@describing
@reporting
def package_model(
    weights: Path | None,
    output: Path,
    *,
    from_checkpoint: Path | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of NewPackage
) -> None:
    """Make a model package of WEIGHTS, a .safetensors or an .onnx file.

    \b
    For example:
      geoseg models package unet.safetensors -o water/ --architecture Unet \\
        --encoder resnet18 --bands B02,B03,B04,B08 --scale 0.0001 --gsd 10 \\
        --class land --class water:1:#2f78b7

    The network is built, filled and tried on a tile before the folder appears.
    """
    source = weights or from_checkpoint
    if source is None or (weights and from_checkpoint):
        raise click.UsageError("give either WEIGHTS or --from-checkpoint")
    with Screen(quiet=quiet, as_json=as_json) as screen:
        package = geoseg.make_package(
            source,
            output,
            said(flags),
            pickled=from_checkpoint is not None,
            on_step=screen.show_step,
        )
    _tell(package, quiet=quiet, as_json=as_json)


@click.command("unpack")
@click.argument("archive", type=a_path)
@click.option("--output", "-o", type=a_path, required=True, help="Folder to make.")
@reporting
def unpack_model(archive: Path, output: Path, *, quiet: bool, as_json: bool) -> None:
    """Unpack ARCHIVE, a zip or tar file with a model package in it."""
    _tell(geoseg.unpack_package(archive, output), quiet=quiet, as_json=as_json)


def _tell(package: ModelPackage, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        show_json(card_of(package))
    elif not quiet:
        say(f"{package.name} {package.version} is in {package.path}")
