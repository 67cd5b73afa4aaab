"""Options in sentences: what Python calls ``crs=`` is ``--crs`` on a terminal.

Nothing but this room spells a flag. A message names an option as Python does, between
backticks: ```crs```, or ```precision='float32'``` with a value. See `geoseg.errors`.
"""

from __future__ import annotations

import re

import click

from geoseg.errors import OPTION

_BARE = re.compile(r"^['\"]([\w.:-]*)['\"]$")
"""A text that a shell takes without quotes."""


def flag_of(name: str) -> str:
    """Spell an option's name as a flag.

    Example:
        >>> flag_of("run_dir")
        '--run-dir'

    """
    return f"--{name.replace('_', '-')}"


def spelled(text: str, command: click.Command | None = None) -> str:
    """Spell the options that a sentence names as the flags of a command.

    Args:
        text: The sentence.
        command: The one that runs, whose flags may be called otherwise than options.

    Example:
        >>> spelled("choose another `crs`, or `precision='float32'` and `restart=True`")
        'choose another --crs, or --precision float32 and --restart'

    """
    own = {} if command is None else _flags(command)

    def flag(mark: re.Match[str]) -> str:
        name, value = mark["name"], _BARE.sub(r"\1", mark["value"] or "")
        spelling = own.get(name) or flag_of(name)
        return spelling if value in {"", "True"} else f"{spelling} {value}"

    return OPTION.sub(flag, text)


def _flags(command: click.Command) -> dict[str, str]:
    """Name the flag of each option of a command, or of those in a group."""
    if isinstance(command, click.Group):
        each_own = map(_flags, command.commands.values())
        return dict(item for own in each_own for item in own.items())
    return {
        str(each.name): max(each.opts, key=len)
        for each in command.params
        if isinstance(each, click.Option)
    }


def spelled_here(text: str) -> str:
    """Spell the options that a sentence names as the flags of the command at work."""
    context = click.get_current_context(silent=True)
    return spelled(text, None if context is None else context.command)
