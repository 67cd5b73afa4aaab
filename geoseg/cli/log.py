"""A log of what is done, on standard error, where it is asked for.

geoseg logs through Python's own `logging`, each room under its name, as libraries do:
nothing is shown unless somebody listens.
"""

from __future__ import annotations

import json
import logging
import time

import click

from geoseg.cli.context import JSON_PROGRESS, flag
from geoseg.errors import visible, without_signatures

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""What is shown without a flag, with it, and with it twice."""


class _ToScreen(logging.Handler):
    """Writes records where messages go, without secrets or what a terminal obeys."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record in a line: when, who, what."""
        text = visible(without_signatures(record.getMessage()))
        room = record.name.removeprefix("geoseg.").split(".")[0]
        if flag(JSON_PROGRESS):
            entry = {"event": "log", "room": room, "text": text}
            click.echo(json.dumps(entry), err=True)
            return
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        click.echo(f"{clock} {room}: {text}", err=True)


def show_log(verbose: int) -> None:
    """Show so much of geoseg's log: what an earlier call asked for ends."""
    logger = logging.getLogger("geoseg")
    for each in list(logger.handlers):
        if isinstance(each, _ToScreen):
            logger.removeHandler(each)
    logger.setLevel(_LEVELS[min(verbose, len(_LEVELS) - 1)])
    if verbose:
        logger.addHandler(_ToScreen())
