"""geoseg models: which there are, what one needs and what it gives."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

import geoseg
from geoseg.cli.architectures import list_architectures
from geoseg.cli.inspect import inspect_model
from geoseg.cli.options import debuggable


@click.group("models")
def command() -> None:
    """List the models, or show what one needs and gives."""


command.add_command(inspect_model)
command.add_command(list_architectures)


@command.command("list")
@debuggable
def list_models() -> None:
    """List the models that come with geoseg."""
    for name in geoseg.known_models():
        package = geoseg.load_package(name)
        classes = ", ".join(land_class.name for land_class in package.legend)
        click.echo(f"{name}  {len(package.bands)} bands, classes: {classes}")


@command.command("show")
@click.argument("model")
@debuggable
def show_model(model: str) -> None:
    """Show the bands, tiles and classes of MODEL, a name or a directory."""
    package = geoseg.load_package(model)
    console = Console(highlight=False)
    title = f"[bold]{escape(package.name)}[/] {escape(package.version)}"
    console.print(title, soft_wrap=True)
    console.print(f"files        {escape(str(package.path))}", soft_wrap=True)
    console.print(f"fingerprint  {package.fingerprint}", soft_wrap=True)
    console.print(
        f"pixels       {escape(package.dtype)} x {package.scale:g}, {package.gsd_m:g} m"
    )
    console.print(
        f"tile         {package.tile} px, overlap {package.overlap}, "
        f"stride {package.stride}"
    )
    bands = Table("band", "common name", "mean", "deviation")
    for band in package.bands:
        numbers = (f"{band.mean:.4f}", f"{band.std:.4f}")
        bands.add_row(escape(band.name), escape(band.common_name), *numbers)
    console.print(bands)
    classes = Table("id", "class", "colour")
    for land_class in package.legend:
        swatch = Text(f"██ {land_class.colour}", style=land_class.colour)
        classes.add_row(str(land_class.id), escape(land_class.name), swatch)
    console.print(classes)
