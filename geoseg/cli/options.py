"""Flags that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

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
