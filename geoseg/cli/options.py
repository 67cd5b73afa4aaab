"""Flags that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import geoseg

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    ctx.meta["geoseg.debug"] = value


def debuggable(command: Command) -> Command:
    """Add --debug, which the group looks for when something fails."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember_debug,
        help="Show the traceback when something fails.",
    )(command)


def reporting(command: Command) -> Command:
    """Add --quiet, --json and --debug."""
    for add in (
        debuggable,
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print one JSON object on standard output, all else on the error one.",
        ),
        click.option(
            "--quiet", "-q", is_flag=True, help="Print nothing but warnings and errors."
        ),
    ):
        command = add(command)
    return command


# Paths are checked by the library, so that Python and the command line give one
# and the same sentence.
a_path = click.Path(path_type=Path)


def drawing(command: Command) -> Command:
    """Add the flags of `geoseg.PolygonOptions`."""
    for add in (
        click.option(
            "--classes",
            default="",
            metavar="NAME,NAME",
            help="Draw these classes only [default: all].",
        ),
        click.option(
            "--dissolve", is_flag=True, help="One multipolygon for each class."
        ),
        click.option(
            "--connectivity",
            type=click.Choice([4, 8]),
            default=4,
            show_default=True,
            help="Whether pixels that touch at a corner are one region (8).",
        ),
        click.option(
            "--smooth",
            type=int,
            default=0,
            show_default=True,
            help="How often corners are cut (Chaikin), 0 to 4.",
        ),
        click.option(
            "--simplify",
            default="0px",
            show_default=True,
            help="How far lines may move to become straighter: 1.5px, 15m.",
        ),
        click.option(
            "--min-area",
            default="0px",
            show_default=True,
            help="Patches below this go to a neighbour: 0.5ha, 400m2, 12px.",
        ),
    ):
        command = add(command)
    return command


def polygon_options(flags: dict[str, Any]) -> geoseg.PolygonOptions:
    """Take the flags that `drawing` added out of a command's."""
    names = [name for name in flags.pop("classes").split(",") if name]
    fields = ("min_area", "simplify", "smooth", "connectivity", "dissolve")
    chosen = {field: flags.pop(field) for field in fields}
    return geoseg.PolygonOptions(**chosen, classes=tuple(names))
