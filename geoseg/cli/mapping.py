"""Flags of commands that map: scene, output, area, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import rich_click as click

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.inputs import InputFlags
from geoseg.cli.options import flags_of, writing
from geoseg.errors import InputError
from geoseg.options import option

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


@dataclass(frozen=True)
class AreaOptions:
    """No more than what is made."""

    HEADING: ClassVar[str] = "Where"

    aoi: str | None = option(
        None,
        "No more than this: a vector file of polygons in any CRS, FILE|layer=NAME, "
        "or WKT.",
        metavar="AREA",
        holds="path_or_url",
    )
    bbox: str | None = option(None, "This box instead of an AOI.", metavar="W,S,E,N")
    bbox_crs: str = option(
        "EPSG:4326", "What the numbers of `bbox` mean.", metavar="CRS"
    )


@dataclass(frozen=True)
class WhereOptions(AreaOptions):
    """What is mapped."""

    HEADING: ClassVar[str] = AreaOptions.HEADING

    each: bool = option(False, "Take every scene by itself, not as a mosaic.")
    field: str | None = option(
        None,
        "Map every feature of the AOI by itself, named by this field.",
        flag="per-feature",
        metavar="FIELD",
        holds="field",
    )


def mapping(*, output_required: bool) -> Callable[[Command], Command]:
    """Add a scene, an output, an area, and the flags of `geoseg.SegmentOptions`.

    Args:
        output_required: Whether there must be an output.

    """

    def add_all(command: Command) -> Command:
        for add in (
            flags_of(geoseg.SegmentOptions),
            flags_of(WhereOptions),
            flags_of(InputFlags),
            writing(
                "Where the map goes: a directory, or a URL of an object store.",
                required=output_required,
                metavar="DIR|s3://...",
                holds="path_or_url",
            ),
            click.argument("scene", nargs=-1, type=path_or_url),
        ):
            command = add(command)
        return command

    return add_all


def take_area(flags: dict[str, Any]) -> str | None:
    """Take the area of interest out of a command's flags; None for all there is."""
    aoi, box, crs = (flags.pop(name) for name in ("aoi", "bbox", "bbox_crs"))
    if aoi is not None and box is not None:
        raise InputError("--aoi and --bbox both say where; give one of them")
    return aoi if box is None else f"{crs};{box}"
