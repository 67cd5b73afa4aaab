"""Flags of commands that take labelled scenes: labels, classes, split and chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import rich_click as click

from geoseg.cli.completion import any_place, fields
from geoseg.cli.values import a_path, a_place, names

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
                "--chip",
                type=int,
                default=0,
                help="Side of samples, pixels [default: half a block's].",
            ),
            click.option(
                "--gap",
                type=int,
                default=16,
                show_default=True,
                help="Pixels between training chips and held-out blocks.",
            ),
            click.option(
                "--block",
                type=int,
                default=0,
                help="Side of blocks, pixels [default: 256, or less in small scenes].",
            ),
            click.option(
                "--fold",
                default="0/5",
                show_default=True,
                help="The fifth that is held out.",
            ),
            click.option(
                "--bands",
                default="",
                metavar="NAME,NAME",
                callback=names,
                help="B02, B02=blue, or 3 for a file's third [default: all].",
            ),
            click.option(
                "--line-width",
                type=float,
                default=0,
                help="Metres that lines are wide [default: one pixel].",
            ),
            click.option(
                "--classes",
                type=a_path,
                help="YAML with ids, names, colours and merges.",
            ),
            click.option(
                "--class-field",
                shell_complete=fields,
                help="The labels' column of classes [default: class, or class_name].",
            ),
            click.option(
                "--output", "-o", type=a_path, required=True, help="Folder to make."
            ),
            click.option(
                "--labels",
                type=a_place,
                required=required,
                help="Polygons, lines, points or a raster of classes, in any CRS.",
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
