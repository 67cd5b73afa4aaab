"""Flags of commands that map: scene, output, area, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

import geoseg
from geoseg.cli.completion import any_place, fields
from geoseg.cli.options import flags_of
from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])

_WHERE = "Where"


def mapping(*, each: str, output_required: bool) -> Callable[[Command], Command]:
    """Add a scene, an output, an area, and the flags of `geoseg.SegmentOptions`.

    Args:
        each: What is done to every scene by itself, in words.
        output_required: Whether there must be an output.

    """

    def add_all(command: Command) -> Command:
        for add in (
            flags_of(geoseg.SegmentOptions),
            click.option(
                "--per-feature",
                "field",
                metavar="FIELD",
                shell_complete=fields,
                help="Map every feature of the AOI by itself, named by this field.",
                panel=_WHERE,
            ),
            click.option("--each", is_flag=True, help=each, panel=_WHERE),
            click.option(
                "--bbox-crs",
                default="EPSG:4326",
                show_default=True,
                metavar="CRS",
                help="What the numbers of --bbox mean.",
                panel=_WHERE,
            ),
            click.option(
                "--bbox",
                metavar="W,S,E,N",
                help="Map this box instead of an AOI.",
                panel=_WHERE,
            ),
            click.option(
                "--aoi",
                type=any_place,
                metavar="AREA",
                help="Map no more than this: a vector file of polygons in any CRS, "
                "FILE|layer=NAME, or WKT.",
                panel=_WHERE,
            ),
            click.option(
                "--output",
                "-o",
                type=any_place,
                metavar="DIR|s3://...",
                required=output_required,
                help="Where the map goes: a directory, or a place in an object store.",
                panel=_WHERE,
            ),
            click.argument("scene", nargs=-1, type=any_place),
        ):
            command = add(command)
        return command

    return add_all


def take_area(flags: dict[str, Any]) -> str | None:
    """Take the area of interest out of a command's flags; None for all there is."""
    aoi, box, crs = (flags.pop(name) for name in ("aoi", "bbox", "bbox_crs"))
    if aoi is not None and box is not None:
        raise InputError("--aoi and --bbox both say what to map; give one of them")
    return aoi if box is None else f"{crs};{box}"
