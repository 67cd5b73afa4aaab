"""Options in sentences: what Python calls ``crs=`` is ``--crs`` on a terminal.

Nothing but this room spells a flag. A message names an option as Python does, between
backticks: ```crs```, or ```precision='float32'``` with a value. See `geoseg.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from geoseg.errors import OPTION

if TYPE_CHECKING:
    import re


def flag_of(name: str) -> str:
    """Spell an option's name as a flag.

    Example:
        >>> flag_of("run_dir")
        '--run-dir'

    """
    return f"--{name.replace('_', '-')}"


def spelled(text: str, context: click.Context | None = None) -> str:
    """Spell the options that a sentence names as the flags of a command.

    Args:
        text: The sentence.
        context: The command's, whose flags may be called otherwise than options.

    Example:
        >>> spelled("choose another `crs`, or `precision='float32'` and `restart=True`")
        'choose another --crs, or --precision float32 and --restart'

    """
    own = {} if context is None else _flags(context.command)

    def flag(mark: re.Match[str]) -> str:
        name, value = mark["name"], (mark["value"] or "").strip("'\"")
        spelling = own.get(name) or flag_of(name)
        return spelling if value in {"", "True"} else f"{spelling} {value}"

    return OPTION.sub(flag, text)


def _flags(command: click.Command) -> dict[str, str]:
    """Name the flag of each option of a command."""
    return {
        str(each.name): max(each.opts, key=len)
        for each in command.params
        if isinstance(each, click.Option)
    }
