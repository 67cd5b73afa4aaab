"""What the library says while a job waits, as lines on the terminal."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAUSE_S = 5.0
"""Seconds between two lines: a server that hiccups does so many times a second."""


class _Lines(logging.Handler):
    """Show what is logged, not too often."""

    def __init__(self, show: Callable[[str], None]) -> None:
        """Begin with nothing said."""
        super().__init__(logging.INFO)
        self._show, self._last = show, -_PAUSE_S

    def emit(self, record: logging.LogRecord) -> None:
        """Show a sentence, if the last one is long ago."""
        if time.monotonic() - self._last >= _PAUSE_S:
            self._last = time.monotonic()
            self._show(record.getMessage())


@contextmanager
def waiting_shown(show: Callable[[str], None]) -> Iterator[None]:
    """Show inside this block what geoseg says of servers that it waits for."""
    log = logging.getLogger("geoseg.waiting")
    lines, level = _Lines(show), log.level
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(lines)
