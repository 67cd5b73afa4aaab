"""A log of what is done, on standard error or in a file, where it is asked for.

geoseg logs through Python's own `logging`, each room under its name (`geoseg.run`,
`geoseg.storage`), as libraries do: nothing is shown unless somebody listens.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import click

from geoseg.errors import OutputError, visible, without_signatures

if TYPE_CHECKING:
    from pathlib import Path

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""What is shown without a flag, with it, and with it twice."""
_OURS = logging.getLogger("geoseg")
LOG = logging.getLogger("geoseg.cli")
"""Where the command line logs what it prints anyway: warnings, and why it ends."""
LOG.addHandler(logging.NullHandler())  # else Python prints them again, without a log


class _ToScreen(logging.Handler):
    """Writes records where messages go, without secrets or what a terminal obeys."""

    def __init__(self, *, as_json: bool) -> None:
        """Write events for programs, or lines for people, from whatever thread."""
        super().__init__()
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record in a line: when, who, what."""
        if record.name == LOG.name:
            return
        room, text = _room(record), _text(record)
        if self._as_json:
            entry = {"event": "log", "room": room, "text": text}
            click.echo(json.dumps(entry), err=True)
            return
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        click.echo(f"{clock} {room}: {text}", err=True)


class _ToFile(logging.FileHandler):
    """Adds records to a file: when, how grave, who, what."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record in a line, without secrets."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return f"{clock} {record.levelname} {_room(record)}: {_text(record)}"


def _room(record: logging.LogRecord) -> str:
    return record.name.removeprefix("geoseg.").split(".")[0]


def _text(record: logging.LogRecord) -> str:
    return visible(without_signatures(record.getMessage()))


def show_log(verbose: int, *, as_json: bool) -> None:
    """Show so much of geoseg's log: what an earlier call asked for ends."""
    for each in list(_OURS.handlers):
        if isinstance(each, _ToScreen):
            _OURS.removeHandler(each)
    if verbose:
        _OURS.addHandler(_ToScreen(as_json=as_json))
    is_kept = any(isinstance(each, _ToFile) for each in _OURS.handlers)
    _OURS.setLevel(_LEVELS[min(max(verbose, is_kept), len(_LEVELS) - 1)])


def keep_log(context: click.Context, path: Path) -> None:
    """Add geoseg's log to a file until a command ends.

    Raises:
        OutputError: It cannot be written.

    """
    try:
        handler = _ToFile(path, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the log {path} cannot be written ({error.strerror}); name another file "
            f"for `log`"
        ) from error
    level = _OURS.level

    def end() -> None:
        _OURS.removeHandler(handler)
        _OURS.setLevel(level)
        handler.close()

    context.find_root().call_on_close(end)  # when it is said why the command ends
    _OURS.addHandler(handler)
    _OURS.setLevel(logging.INFO)
    _, *names = context.command_path.split()
    LOG.info("geoseg %s begins", " ".join(names))
