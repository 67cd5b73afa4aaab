"""geoseg models import, and available: published models brought here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.cards import card_of
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show, show_json
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import ModelPackage


@click.command("import")
@click.argument("source")
@writing(
    "Folder to make.",
    required=False,
    otherwise="the model's name in your folder of models",
)
@flags_of(geoseg.NewPackage, leave_out=("source",))
@reporting
def import_model(
    source: str,
    output: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of NewPackage
) -> None:
    """Bring a model of others here, as a package that --model takes by its name.

    \b
    For example:
      geoseg models import dynamic-world
      geoseg models import unet.ckpt --bands B04,B03,B02 --gsd 10 \\
        --class land --class water

    SOURCE is a name that geoseg models available lists, for which the network is
    asked, or a copy of what is published; a checkpoint (.ckpt, .pt, .pth), read as
    tensors alone; a .safetensors or .onnx file; a folder as
    segmentation-models-pytorch saves them; hf://owner/name or hf://owner/name/FILE
    with any of these; or a STAC item with the MLM extension,
    item.json or https://.../item.json. What a file says of its network, bands and
    classes, or shows by its tensors, need not be said.
    """
    with Screen(quiet=quiet, as_json=as_json) as screen:
        package = geoseg.import_model(
            source,
            output,
            options_of(geoseg.NewPackage, flags),
            on_step=screen.show_step,
        )
    if as_json:
        show_json(card_of(package))
    elif not quiet:
        say(f"{package.name} {package.version} is in {package.path}")
        say(f"from {package.source}, licence {package.license}")
        for text in filter(None, (package.attribution, _next(package))):
            say(text)


def _next(package: ModelPackage) -> str:
    """Say with what name or path the model is used."""
    is_known = package.path.name in geoseg.installed_models()
    model = package.path.name if is_known else package.path
    return f"use it: geoseg segment scene.tif --model {model} -o map/"


@click.command("available")
@reporting
def available_models(*, quiet: bool, as_json: bool) -> None:
    """List the published models that geoseg models import gets by name."""
    known = geoseg.available_models()
    if as_json:
        show_json([asdict(each) for each in known])
        return
    for each in () if quiet else known:
        grid = Table.grid(padding=(0, 2))
        grid.add_row("name", escape(each.name))
        grid.add_row("for", escape(each.purpose))
        grid.add_row("takes", escape(each.sensor))
        grid.add_row("classes", escape(", ".join(each.classes)))
        grid.add_row("licence", escape(each.license))
        grid.add_row("size", f"{each.size / 1e6:.1f} MB")
        grid.add_row("from", f"{escape(each.home)} ({each.version})")
        show(grid)
