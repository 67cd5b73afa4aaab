"""Flags of commands that read imagery: those of `geoseg.SceneOptions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

import geoseg
from geoseg.cli.completion import any_place

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


def _numbers(*counts: int) -> Callable[..., float | tuple[float, ...] | None]:
    """Read numbers with commas between: one as itself, several as a tuple."""

    def read(
        _: click.Context, __: click.Parameter, value: str | None
    ) -> float | tuple[float, ...] | None:
        if value is None:
            return None
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in counts:
            wanted = " or ".join(map(str, counts))
            raise click.BadParameter(f"{value!r} is not {wanted} numbers with commas")
        return numbers[0] if len(numbers) == 1 else numbers

    return read


def scene_flags(command: Command) -> Command:
    """Add the flags of `geoseg.SceneOptions`."""
    for add in (
        click.option(
            "--valid",
            type=click.Choice(["all", "any"]),
            default="all",
            show_default=True,
            help="Map pixels where all bands needed have data, or where any has.",
        ),
        click.option(
            "--nodata",
            metavar="NUMBER|none",
            callback=_nodata,
            help="The value without data, whatever the files declare.",
        ),
        click.option("--assume-crs", metavar="CRS", help="The CRS of files without."),
        click.option(
            "--allow-external-references",
            is_flag=True,
            help="Open VRTs that read files outside the folders named.",
        ),
        click.option(
            "--skip-unreadable", is_flag=True, help="Leave out files that do not open."
        ),
        click.option(
            "--resampling",
            type=click.Choice(["bilinear", "nearest", "cubic"]),
            default="bilinear",
            show_default=True,
            help="How pixels are found on another grid; masks: the nearest.",
        ),
        click.option(
            "--bounds",
            metavar="LEFT,BOTTOM,RIGHT,TOP",
            callback=_numbers(4),
            help="Map no more than this, in the CRS of the grid.",
        ),
        click.option(
            "--like",
            type=any_place,
            metavar="RASTER",
            help="Read on the pixels of this raster.",
        ),
        click.option(
            "--resolution",
            metavar="SIZE|WIDTH,HEIGHT",
            callback=_numbers(1, 2),
            help="Read with pixels of this size, in units of the CRS.",
        ),
        click.option(
            "--radiometry",
            type=click.Choice(["auto", "raw"]),
            default="auto",
            show_default=True,
            help="Use the scale and offset that files declare, or raw pixels.",
        ),
        click.option(
            "--mask",
            multiple=True,
            metavar="BAND:CLASS,CLASS",
            help="Pixels that do not count: scl:cloud,shadow; qa_pixel:cloud.",
        ),
        click.option(
            "--band",
            "bands",
            multiple=True,
            metavar="NAME=FILE[:NUMBER]",
            callback=_named_files,
            help="A band in a file of its own, or by number; repeatable.",
        ),
        click.option(
            "--bands",
            "numbers",
            metavar="NUMBER,NUMBER",
            callback=_band_numbers,
            help="Bands of a file to read, counted from 1 [default: all].",
        ),
        click.option("--crs", metavar="CRS", help="Read in this CRS: EPSG:3035."),
        click.option(
            "--mosaic",
            type=click.Choice(["first", "last", "newest", "least-nodata"]),
            default="first",
            show_default=True,
            help="Which of several files counts where they overlap.",
        ),
    ):
        command = add(command)
    return command


def _band_numbers(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[int, ...]:
    """Read 1,2,3."""
    numbers = [] if value is None else value.replace("#", "").split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise click.BadParameter(
            f"{value!r}; write numbers, such as 1,2,3; a band in a file of its own is "
            f"named with --band NAME=FILE"
        )
    return tuple(map(int, numbers))


def _named_files(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read NAME=FILE."""
    pairs = [value.partition("=") for value in values]
    if not all(name and file for name, _, file in pairs):
        raise click.BadParameter("write NAME=FILE, such as red=B04.tif")
    return tuple((name, file) for name, _, file in pairs)


def _nodata(
    _: click.Context, __: click.Parameter, value: str | None
) -> float | str | None:
    if value in {None, "none"}:
        return value
    try:
        return float(str(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor none") from error


def scene_options(flags: dict[str, Any]) -> geoseg.SceneOptions:
    """Take the flags that `scene_flags` added out of a command's."""
    fields = [
        *("assume_crs", "nodata", "valid", "mosaic", "skip_unreadable"),
        *("allow_external_references", "crs", "resolution", "bounds", "like"),
        *("resampling", "bands", "numbers", "mask", "radiometry"),
    ]
    return geoseg.SceneOptions(**{field: flags.pop(field) for field in fields})
