"""geoseg models: which there are, what one needs and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.architectures import list_architectures
from geoseg.cli.calibrate import calibrate_model
from geoseg.cli.cards import card_of
from geoseg.cli.completion import models
from geoseg.cli.export_model import export_model
from geoseg.cli.figures import show_reliability
from geoseg.cli.import_model import available_models, import_model
from geoseg.cli.inspect import inspect_model
from geoseg.cli.options import reporting
from geoseg.cli.package import package_model, unpack_model
from geoseg.cli.printing import say, show, show_json, show_line, swatch
from geoseg.cli.push import push_model
from geoseg.errors import counted

if TYPE_CHECKING:
    from geoseg import ModelPackage


@click.group("models")
def command() -> None:
    """List, show and check models, or make one of bare weights."""


command.add_command(available_models)
command.add_command(calibrate_model)
command.add_command(export_model)
command.add_command(import_model)
command.add_command(inspect_model)
command.add_command(list_architectures)
command.add_command(package_model)
command.add_command(push_model)
command.add_command(unpack_model)


@command.command("list")
@reporting
def list_models(*, quiet: bool, as_json: bool) -> None:
    """List the models that come with geoseg, those of your folder, and the Hub's cache.

    Your folder is $GEOSEG_MODELS, or ~/.local/share/geoseg/models: a package in it is
    found by its folder's name.
    """
    names = (*geoseg.known_models(), *geoseg.installed_models())
    listed = [_listed(name) for name in (*names, *geoseg.cached_models())]
    if as_json:
        show_json({"folder": str(geoseg.models_folder()), "models": listed})
    elif not quiet:
        for each in listed:
            say(_line(each))


_MANY = 16
"""Of more bands than these the table has one line."""


def _listed(name: str) -> dict[str, Any]:
    """Describe a model; why not, where it cannot be used."""
    try:
        return {"model": name, **card_of(geoseg.load_package(name))}
    except geoseg.InputError as error:
        return {"model": name, "cannot_be_used": str(error)}


def _line(listed: dict[str, Any]) -> str:
    name = listed["model"]
    if "cannot_be_used" in listed:
        return f"{name}  cannot be used: {listed['cannot_be_used']}"
    classes = ", ".join(each["name"] for each in listed["classes"])
    bands = len(listed["bands"])
    return f"{name}  {bands} bands, {listed['gsd_m']:g} m, classes: {classes}"


@command.command("show")
@click.argument("model", shell_complete=models)
@reporting
def show_model(model: str, *, quiet: bool, as_json: bool) -> None:
    """Show what MODEL, a name, a directory or hf://owner/name, needs and gives."""
    package = geoseg.load_package(model)
    if as_json:
        show_json(card_of(package))
    elif not quiet:
        _show(package)


def _show(package: ModelPackage) -> None:
    title = f"[bold]{escape(package.name)}[/] {escape(package.version)}"
    show_line(title)
    for name, value in _facts(package):
        show_line(f"{name:<12} {escape(value)}")
    show(_bands(package))
    classes = Table("id", "class", "", "colour")
    for each in package.legend:
        patch = swatch(each.colour)
        classes.add_row(str(each.id), escape(each.name), patch, each.colour)
    show(classes)
    if package.reliability is not None:
        show_reliability(package)


def _bands(package: ModelPackage) -> Table:
    """List the bands with what they are normalised by; many in a line."""
    bands = Table("band", "common name", "mean", "deviation", "trained on")
    if len(package.bands) > _MANY:
        first, last = package.bands[0].name, package.bands[-1].name
        listed = f"{len(package.bands)}: {first} to {last} (--json lists them)"
        bands.add_row(escape(listed), "", "", "", "")
        return bands
    for band in package.bands:
        numbers = (f"{band.mean:.4f}", f"{band.std:.4f}")
        if package.normalise == "scene" and package.percentiles is None:
            numbers = ("the scene's", "the scene's")
        position = "" if band.index is None else f" (the scene's band {band.index})"
        known = band.minimum is not None and band.maximum is not None
        values = f"{band.minimum:g} to {band.maximum:g}" if known else ""
        bands.add_row(
            escape(band.name + position), escape(band.common_name), *numbers, values
        )
    return bands


def _facts(package: ModelPackage) -> list[tuple[str, str]]:
    tolerance = package.gsd_m * package.gsd_tolerance
    scaled = _added(package.offset)
    facts = [
        ("for", package.description),
        ("network", package.architecture),
        ("files", str(package.path)),
        ("weights", package.weights.name),
        ("fingerprint", package.fingerprint),
        ("licence", package.license),
        ("name", package.attribution),
        ("from", package.source),
        *_inputs(package, f"{package.dtype} x {package.scale:g}{scaled}"),
        ("normalised", _normalised(package)),
        ("scale", f"{package.gsd_m:g} m, {tolerance:g} m more or less"),
        (
            "tile",
            f"{package.tile} px, overlap {package.overlap}, stride {package.stride}",
        ),
        ("activation", package.activation),
        ("temperature", "" if package.temperature == 1 else f"{package.temperature:g}"),
        ("computed in", "" if package.precision == "any" else package.precision),
        ("trained on", package.trained_on),
        ("did", ", ".join(f"{name} {value:g}" for name, value in package.metrics)),
    ]
    return [(name, value) for name, value in facts if value]


def _inputs(package: ModelPackage, pixels: str) -> list[tuple[str, str]]:
    """Say of the pixels of the one image, or of each input."""
    if not package.inputs:
        return [("pixels", pixels)]
    return [
        (
            f"input {each.name}",
            ", ".join(
                (
                    f"{counted(len(each.bands), 'band')} of {each.gsd_m:g} m",
                    f"{each.dtype} x {each.scale:g}{_added(each.offset)}",
                    each.resampling,
                    *(f"{name} {window}" for name, window in each.dates),
                    *([each.mosaic] if each.dates else []),
                )
            ),
        )
        for each in package.inputs
    ]


def _added(offset: float) -> str:
    return f" {offset:+g}" if offset else ""


def _normalised(package: ModelPackage) -> str:
    """Say whose statistics normalise pixels, where it is not the table's alone."""
    if package.normalise == "training":
        return ""
    if package.percentiles is None:
        return "by each scene's own mean and deviation"
    low, high = package.percentiles
    return (
        f"stretched to 0..1 between each scene's percentiles {low:g} and {high:g} and "
        f"clipped, then by mean and deviation"
    )


@command.command("validate")
@click.argument("model", shell_complete=models)
@reporting
def validate_model(model: str, *, quiet: bool, as_json: bool) -> None:
    """Check MODEL: files, checksum, bands, classes, and its network on a tile.

    Exit status 0 where it can be used, 2 with a sentence where it cannot.
    """
    found = geoseg.validate_model(model)
    if as_json:
        show_json({**card_of(found.package), "doubts": list(found.doubts)})
    elif not quiet:
        say(f"{found.package.name} {found.package.version} can be used")
        for doubt in found.doubts:
            say(f"but {doubt}")
