"""When a file of labels was saved: by its size and time, and those of its log.

A GeoPackage that is open in QGIS has a write-ahead log beside it, and a save changes
the log alone. Files are looked at a few times a second, which works on every disk and
share.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE_S = 0.1
"""Seconds between two looks: nobody notices them, and they cost nothing."""
_BESIDE = ("-wal",)
"""What is added to the name of a file of SQLite's for that of its log."""
_TABLES = (".dbf", ".shx", ".csv")
"""What else is saved with a shapefile."""
_State = tuple[tuple[int, int, int] | None, ...]


@dataclass(slots=True)
class LabelsFile:
    """A file of labels, and in which state it was read."""

    path: Path
    """The file."""
    seen: _State = ()
    """How its files were when it was last waited for."""

    def wait_for_save(self) -> None:
        """Wait until the file is another than it was, and nobody is writing it."""
        while True:
            state = self._state()
            if state != self.seen:
                time.sleep(_PAUSE_S)
                if state == self._state():
                    self.seen = state
                    return
            else:
                time.sleep(_PAUSE_S)

    def _state(self) -> _State:
        return tuple(map(_looked, self._files()))

    def _files(self) -> Iterator[str]:
        yield str(self.path)
        yield from (f"{self.path}{suffix}" for suffix in _BESIDE)
        yield from (str(self.path.with_suffix(suffix)) for suffix in _TABLES)


def _looked(path: str) -> tuple[int, int, int] | None:
    """Give a file's number, size and time; None where it is not there, or is empty."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a few times a second
    except OSError:
        return None
    if status.st_size == 0:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
