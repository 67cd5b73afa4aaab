"""Flags that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import geoseg
from geoseg.errors import InputError

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


def overwriting(command: Command) -> Command:
    """Add --overwrite."""
    return click.option(
        "--overwrite",
        is_flag=True,
        help="Replace files, too, that geoseg did not write or somebody has changed.",
    )(command)


class _DiskPath(click.Path):
    """A path on a disk; of a URL, pathlib would make a folder named ``s3:``."""

    def convert(
        self,
        value: Any,  # noqa: ANN401  # click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # the same
        """Refuse a URL, and nothing, which would be the folder one is in."""
        if not str(value):
            raise InputError("a path is empty; name a file or a folder")
        if "://" in str(value):
            raise InputError(
                f"{value} is no path on a disk, which is what is needed here; copy "
                f"the file, or name a place on a disk"
            )
        return super().convert(value, param, ctx)


# Paths are checked by the library, so that Python and the command line give one
# and the same sentence.
a_path = _DiskPath(path_type=Path)
a_place = click.Path()
"""A raster that may also be a URL or a place in an archive, as text."""


def tiling(command: Command) -> Command:
    """Add --tile and --overlap."""
    for add in (
        click.option(
            "--overlap", type=int, help="Overlap in pixels [default: the model's]."
        ),
        click.option(
            "--tile", type=int, help="Tile side in pixels [default: the model's]."
        ),
    ):
        command = add(command)
    return command


def computing(*, precision: str) -> Callable[[Command], Command]:
    """Add --device and --precision, with what the latter is by default."""

    def add_both(command: Command) -> Command:
        for add in (
            click.option(
                "--precision",
                type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
                default=precision,
                show_default=True,
                help="What it computes in.",
            ),
            click.option(
                "--device",
                type=click.Choice(["auto", "cpu", "cuda", "mps"]),
                default="auto",
                show_default=True,
                help="What computes.",
            ),
        ):
            command = add(command)
        return command

    return add_both


def names(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Read NAME,NAME."""
    return tuple(name for name in value.split(",") if name)


def pairs(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, str]:
    """Read ``this=that,this=that``; what is behind a ``=`` may be empty."""
    found: dict[str, str] = {}
    for pair in filter(None, (value or "").split(",")):
        name, equals, target = (part.strip() for part in pair.partition("="))
        if not equals or not name or name in found:
            raise click.BadParameter(
                f"{pair!r} is not written {parameter.metavar}, each name once"
            )
        found[name] = target
    return found


def spreading(command: Command) -> Command:
    """Add --workers and --scheduler to a command that reads a map block by block."""
    for add in (
        click.option(
            "--scheduler", metavar="ADDRESS", help="Read on this dask cluster."
        ),
        click.option(
            "--workers",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Worker processes to start here; 0 for none but this one.",
        ),
    ):
        command = add(command)
    return command


def drawing(command: Command) -> Command:
    """Add the flags of `geoseg.PolygonOptions`."""
    for add in (
        click.option(
            "--classes",
            default="",
            metavar="NAME,NAME",
            callback=names,
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
    fields = ("min_area", "simplify", "smooth", "connectivity", "dissolve")
    chosen = {field: flags.pop(field) for field in fields}
    return geoseg.PolygonOptions(**chosen, classes=flags.pop("classes"))
