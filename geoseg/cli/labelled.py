"""Flags of commands that take labelled scenes: labels, classes, split and chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import rich_click as click

from geoseg.cli.completion import any_place
from geoseg.cli.values import a_path, a_place

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


def labelled(*, required: bool) -> Callable[[Command], Command]:
    """Add scenes, an output, and what `geoseg train` and `geoseg tile` have in common.

    Args:
        required: Whether there must be labels.

    """

    def add_all(command: Command) -> Command:
        for add in (
            click.option(
                "--output",
                "-o",
                type=a_path,
                required=True,
                help="Folder to make.",
                panel="Where",
            ),
            click.option(
                "--labels",
                type=a_place,
                required=required,
                help="Polygons, lines, points or a raster of classes, in any CRS.",
                panel="Where",
            ),
            click.argument(
                "scenes",
                metavar="SCENE...",
                nargs=-1,
                required=True,
                type=any_place,
            ),
        ):
            command = add(command)
        return command

    return add_all
