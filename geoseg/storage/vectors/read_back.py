"""What was written to a vector file, read back before it gets its name.

SQLite and GDAL leave a GeoPackage without its spatial index, and others cut short,
where a disk fills at the end, and say nothing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio

from geoseg.errors import GeosegError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypeAlias

    _Extent: TypeAlias = tuple[float | None, ...]

_ROUNDED = 1e-6
"""By which share the bounds of an index differ from those of its features."""
_CHUNK = 1 << 22
"""Bytes of a file in memory at once."""


@contextmanager
def writing() -> Iterator[None]:
    """Say that a file could not be written where a library does, in what it raises.

    Raises:
        OSError: It could not; `geoseg.storage.staging.atomic_file` names the file.

    """
    try:
        yield
    except GeosegError:
        raise
    except (RuntimeError, sqlite3.Error, pa.ArrowInvalid) as error:  # GDAL's own
        raise OSError(str(error)) from error


def check_layer(path: Path, layer: str, count: int, *, empty: int = 0) -> None:
    """Prove that a layer of a GeoPackage is whole: features, spatial index and extent.

    Args:
        path: The GeoPackage.
        layer: The layer that was written.
        count: How many features it has.
        empty: How many of them have no geometry, and so no entry in the index.

    Raises:
        OSError: Something is missing.

    """
    with writing():
        rows, indexed, reach, declared = _of_layer(path, layer)
    if (rows, indexed) != (count, count - empty) or not _agree(reach, declared):
        _refuse(
            f"{rows:,} of {count:,} features and {indexed:,} of {count - empty:,} "
            f"entries of the spatial index"
        )


def check_file(path: Path, count: int) -> None:
    """Prove that a file of another format holds so many features, to the last byte.

    Raises:
        OSError: Something is missing.

    """
    suffix = path.suffix
    with writing():
        if suffix == ".parquet":
            found = pq.read_metadata(path).num_rows
        else:
            with pyogrio.open_arrow(path, columns=[], use_pyarrow=True) as (_, stream):
                found = sum(len(each) - each.column(0).null_count for each in stream)
    if found != count:
        _refuse(f"{found:,} of {count:,} features")


def check_lines(path: Path, count: int) -> None:
    """Prove that a file of text has so many lines, the last one whole.

    Raises:
        OSError: Something is missing.

    """
    with path.open("rb") as file:
        chunks = iter(lambda: file.read(_CHUNK), b"")
        found = sum(chunk.count(b"\n") for chunk in chunks)
    if found != count:
        _refuse(f"{found:,} of {count:,} lines")


def _of_layer(path: Path, layer: str) -> tuple[int, int, _Extent, _Extent]:
    """Give rows, entries of the index, the extent by the index, and as declared."""
    with closing(sqlite3.connect(path)) as database:
        column = database.execute(
            "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?",
            (layer,),
        ).fetchone()
        index = _quoted(f"rtree_{layer}_{column[0]}")
        rows = database.execute(f"SELECT count(*) FROM {_quoted(layer)}").fetchone()[0]  # noqa: S608  # quoted
        indexed, *reach = database.execute(
            f"SELECT count(*), min(minx), min(miny), max(maxx), max(maxy) FROM {index}"  # noqa: S608  # quoted
        ).fetchone()
        declared = database.execute(
            "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?",
            (layer,),
        ).fetchone()
    return rows, indexed, tuple(reach), tuple(declared)


def _agree(reach: _Extent, declared: _Extent) -> bool:
    """Return whether extents are the same; the index rounds outward to float32."""
    return all(
        a is b
        if a is None or b is None  # of a layer without features
        else abs(a - b) <= _ROUNDED * max(1.0, abs(a), abs(b))
        for a, b in zip(reach, declared, strict=True)
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse(found: str) -> NoReturn:
    raise OSError(f"of what was written, {found} can be read back")
