"""geoseg models package: a package made of bare weights, or of an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # a flag is made of its field
from typing import TYPE_CHECKING, Any, ClassVar

import rich_click as click

import geoseg
from geoseg.cli.cards import card_of
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show_json
from geoseg.cli.screen import Screen
from geoseg.cli.values import a_path
from geoseg.options import option

if TYPE_CHECKING:
    from geoseg import ModelPackage


@dataclass(frozen=True)
class PickledOptions:
    """Weights that are not read as they are."""

    HEADING: ClassVar[str] = "Where"

    from_checkpoint: Path | None = option(
        None,
        "Instead of WEIGHTS a pickled .pt or .pth, read as tensors alone.",
        holds="path",
    )


@click.command("package")
@click.argument("weights", type=a_path, required=False)
@flags_of(PickledOptions)
@writing("Folder to make.")
@flags_of(geoseg.NewPackage)
@reporting
def package_model(
    weights: Path | None,
    output: Path,
    *,
    from_checkpoint: Path | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of NewPackage
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
            options_of(geoseg.NewPackage, flags),
            pickled=from_checkpoint is not None,
            on_step=screen.show_step,
        )
    _show(package, quiet=quiet, as_json=as_json)


@click.command("unpack")
@click.argument("archive", type=a_path)
@writing("Folder to make.")
@reporting
def unpack_model(archive: Path, output: Path, *, quiet: bool, as_json: bool) -> None:
    """Unpack ARCHIVE, a zip or tar file with a model package in it."""
    _show(geoseg.unpack_package(archive, output), quiet=quiet, as_json=as_json)


def _show(package: ModelPackage, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        show_json(card_of(package))
    elif not quiet:
        say(f"{package.name} {package.version} is in {package.path}")
