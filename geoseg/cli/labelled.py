"""Flags of commands that take labelled scenes: labels, classes, split and chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import rich_click as click

from geoseg.cli.completion import path_or_url
from geoseg.cli.inputs import InputFlags
from geoseg.cli.options import flags_of, writing
from geoseg.options import option

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


@dataclass(frozen=True)
class LabelsOptions:
    """What is learned from."""

    HEADING: ClassVar[str] = "Where"

    labels: str | None = option(
        None,
        "Polygons, lines, points or a raster of classes, in any CRS.",
        holds="path_or_url",
    )


@dataclass(frozen=True)
class FilesOfLabels:
    """The same, where several files do."""

    HEADING: ClassVar[str] = "Where"

    labels: tuple[str, ...] = option(
        (),
        "Polygons, lines, points or a raster of classes, in any CRS; several files of "
        "shapes are put together, the later ones on top.",
        repeats=True,
        holds="path_or_url",
    )


def labelled(*, required: bool, inputs: bool = False) -> Callable[[Command], Command]:
    """Add scenes, an output, and what `geoseg train` and `geoseg tile` have in common.

    Args:
        required: Whether there must be labels.
        inputs: Whether inputs by name may stand for scenes.

    """

    def add_all(command: Command) -> Command:
        for add in (
            *([flags_of(InputFlags)] if inputs else []),
            flags_of(FilesOfLabels, required=("labels",) if required else ()),
            writing("Folder to make."),
            click.argument(
                "scenes",
                metavar="SCENE...",
                nargs=-1,
                required=not inputs,
                type=path_or_url,
            ),
        ):
            command = add(command)
        return command

    return add_all
