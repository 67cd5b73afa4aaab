"""What flags of every command leave in click's context, for whoever looks for it."""

from __future__ import annotations

from typing import Any

import click

DEBUG = "geoseg.debug"
"""Whether a traceback is shown."""
VERBOSE = "geoseg.verbose"
"""How much is logged: 0 nothing, 1 what is done, 2 more of it."""
JSON_PROGRESS = "geoseg.json-progress"
"""Whether standard error holds a JSON object a line."""
KEPT = "geoseg.kept"
"""Whether the command at work would carry on from what it has done so far."""
ENDED = "geoseg.ended"
"""Whether the command's last line is written, which says why it does not end well."""
DEFAULTS = "geoseg.defaults"
"""The file with flags that are always the same, and those taken from it."""


def flag(name: str) -> Any:  # noqa: ANN401  # as it was left
    """Give what a flag of the command at work left; None outside of one."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(name)


def leave(name: str) -> None:
    """Leave a mark for the command at work; outside of one do nothing."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[name] = True
