"""Views of GeoPackages and of SQLite: layers that are computed while they are read.

A view may have rows without end, and GDAL counts them before it reads the first. So
SQLite itself is asked first, with a limit of rows and of time.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

from geoseg.errors import brief

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.errors import InputError

_BEGINNING = b"SQLite format 3\0"
_MOST = 1_000_000
"""Rows of a view at most."""
_SECONDS = 10.0
"""In which they have to come."""
_STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock."""


def check_view(path: Path, layer: str, error: type[InputError]) -> None:
    """Refuse a layer of a database that is a view of too many rows.

    Args:
        path: A vector file of any format; others have no views.
        layer: The layer that is to be read.
        error: How it is refused.

    Raises:
        InputError: It is a view that is too long, too slow, or cannot be read.

    """
    with path.open("rb") as file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            return
    end = monotonic() + _SECONDS
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.set_progress_handler(lambda: monotonic() > end, _STEPS)
            too_long = _is_view(database, layer) and _rows(database, layer) > _MOST
    except sqlite3.Error as problem:
        raise error(
            f"layer {brief(layer)} of {path} cannot be read in {_SECONDS:g} s "
            f"({problem}); save it as a table"
        ) from problem
    if too_long:
        raise error(
            f"layer {brief(layer)} of {path} is a view of more than {_MOST:,} rows, or "
            f"without end; save as a table what is meant"
        )


def _is_view(database: sqlite3.Connection, layer: str) -> bool:
    question = "SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = ? COLLATE "
    return database.execute(f"{question}NOCASE", (layer,)).fetchone() is not None


def _rows(database: sqlite3.Connection, layer: str) -> int:
    """Count a view's rows, no further than one too many."""
    name = layer.replace('"', '""')
    some = f'SELECT 1 FROM "{name}" LIMIT {_MOST + 1}'  # noqa: S608  # quoted
    count: int = database.execute(f"SELECT count(*) FROM ({some})").fetchone()[0]  # noqa: S608  # ours
    return count
