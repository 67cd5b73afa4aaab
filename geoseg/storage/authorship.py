"""Who made a file: geoseg, or a person whose work must not be lost.

What geoseg writes carries a mark, and where it can, a checksum of what it wrote:

* a run's folder has ``run.json`` with the SHA-256 of every product;
* a GeoPackage says in the description of each layer who wrote it, and the SHA-256 of
  the layer's rows and styles, which stays the same when QGIS only looks at it;
* a GeoTIFF has a tag, and one of classes the checksum in its ``.aux.xml``;
* a PNG has a text of the software that drew it, a page its generator; JSON has a key
  ``geoseg``;
* other vector files have a style beside them (``.qml``), points to be labelled their
  design (``.design.json``), tables what they were made from (``.json``), which hold the
  checksums of the files that they belong to.

Nothing here opens a file with GDAL: what is in the way is data that nobody named.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from contextlib import closing
from enum import Enum
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import quote

from geoseg.errors import OutputError, fault_of_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

STAGING = ".geoseg-staging"
"""The hidden folder in an output where the products of a run are made."""
REPORT = "run.json"
"""The record of a run's folder."""
PAGE = "report.html"
"""What a folder of products has for a browser."""
EARLIER = "earlier.json"
"""What names of records of earlier runs end in while these are replaced."""
_HEAD = 1 << 20
"""Bytes at a file's beginning in which a mark stands."""
_LARGEST_RECORD = 1 << 26
"""Bytes of a record at most."""
_SQLITE = b"SQLite format 3\0"
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXT = b"Software\0geoseg"
_PAGE = b'<meta name="generator" content="geoseg '
_TIFF_TAG = b'name="GEOSEG_VERSION"'
_TIFF_EDITED = b"KNOWN_INCOMPATIBLE_EDITION=YES"
"""What GDAL writes at the head of a COG when it changes the file."""
_CONTENT = re.compile(r"geoseg \S+, content (?P<digest>[0-9a-f]{64})")
_FILES = re.compile(r"geoseg \S+, files(?P<files>(?: \.[\w.]+=[0-9a-f]{64})+)")
LONGEST_NAME = 240
"""Bytes of the name of an output: file systems take 255, and unfinished work lies
beside it under a longer one."""
_LONGEST_FOLDER = 255
"""Bytes of a name of a folder above it."""
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database that somebody has open, or had when it died."""


class Origin(Enum):
    """Whose a file is."""

    NOBODY = "nothing is there"
    OURS = "geoseg wrote it, and nobody changed it since as far as can be known"
    CHANGED = "geoseg wrote it, and somebody changed it since"
    FOREIGN = "somebody else made it"


def signature() -> str:
    """Name the software, as it stands in what it writes."""
    return f"geoseg {version('geoseg')}"


def checksum(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal digits.

    Raises:
        OSError: It cannot be read.

    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_mark(files: Iterable[Path], before: str = "") -> str:
    """Write the checksums of a product's files, for a sidecar to hold.

    Args:
        files: The files, each with a suffix of its own.
        before: The text of the sidecar that is replaced: what it says of files with
            other suffixes stays.

    """
    sums = dict(_files_in(before)) | {path.suffix: checksum(path) for path in files}
    written = " ".join(f"{suffix}={digest}" for suffix, digest in sorted(sums.items()))
    return f"{signature()}, files {written}"


def origin_of(path: Path) -> Origin:
    """Return who made a file; a folder counts as somebody's.

    Args:
        path: What may be there, a file of any format; links are followed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     labels = pathlib.Path(folder, "labels.geojson")
        ...     before = origin_of(labels)
        ...     _ = labels.write_text("{}")
        ...     before.name, origin_of(labels).name
        ('NOBODY', 'FOREIGN')

    """
    if not path.exists():
        return Origin.NOBODY
    if not path.is_file():
        return Origin.FOREIGN
    try:
        return _origin(path)
    except OSError:  # what cannot be read may be a person's work
        return Origin.FOREIGN


def check_replaceable(path: Path, *, overwrite: bool = False) -> None:
    """Refuse to replace a file that somebody made, changed, or has open.

    Args:
        path: The file to be written.
        overwrite: Whether it may be lost; a database that somebody has open may not.

    Raises:
        OutputError: Somebody made it, or changed it since geoseg wrote it; or another
            program has it open.

    """
    check_idle(path)
    if overwrite:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file")
        return
    origin = origin_of(path)
    if origin in {Origin.FOREIGN, Origin.CHANGED}:
        raise OutputError(
            f"{path} would be replaced, and {_WHY[origin]}; move it away, give another "
            f"name, or let it go with `overwrite`"
        )


_WHY = {
    Origin.FOREIGN: "geoseg did not write it",
    Origin.CHANGED: "somebody has changed it since geoseg wrote it",
}


def check_names(path: Path) -> None:
    """Refuse names that no file system takes, before anything asks one about them.

    Args:
        path: A file or folder that is to be written.

    Raises:
        OutputError: Its name, or that of a folder above it, is too long or no text.

    """
    if fault := fault_of_path(path):
        raise OutputError(f"{path} cannot be written: {fault}")
    for name in path.parts:
        most = LONGEST_NAME if name == path.name else _LONGEST_FOLDER
        size = len(os.fsencode(name))
        if size > most:
            raise OutputError(
                f"the name {name[:30]}... has {size} bytes, and an output's may have "
                f"{most}; choose a shorter one"
            )


def check_idle(path: Path) -> None:
    """Refuse a SQLite database, such as a GeoPackage, that another program has open.

    Replaced under that program, the file would be damaged by what it still writes.

    Raises:
        OutputError: Somebody has it open, or died while it had; or its name is too
            long.

    """
    check_names(path)
    for suffix in _BESIDE:
        beside = path.with_name(f"{path.name}{suffix}")
        if beside.exists():
            raise OutputError(
                f"{path} is open in another program, or was when that program died: "
                f"{beside.name} is beside it; close it there (where nothing has it "
                f"open, open and close it once in QGIS), or give another name"
            )
    if path.is_file() and _is_database(path) and _is_locked(path):
        raise OutputError(
            f"{path} is being read or written by another program; close it there, or "
            f"give another name"
        )


def layer_origins(path: Path) -> dict[str, Origin]:
    """Return who made each layer and table of contents of a GeoPackage.

    Returns:
        By name; nothing where the file is not there or is no GeoPackage.

    """
    if not (path.is_file() and _is_database(path)):
        return {}
    try:
        with closing(_database(path)) as database:
            rows = database.execute(
                "SELECT table_name, description FROM gpkg_contents "
                "WHERE table_name != 'layer_styles'"
            ).fetchall()
            return {
                name: _layer_origin(database, name, description or "")
                for name, description in rows
            }
    except (sqlite3.Error, UnicodeError):
        return {}


def check_not_inputs(products: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to replace what is to be read, by whatever name or link it is known.

    Raises:
        OutputError: A product is one of the inputs, or its name is too long.

    """
    there = {}
    for path in products:
        check_names(path)
        if path.exists():
            there[_identity(path)] = path
    for path in inputs if there else ():
        product = there.get(_identity(path)) if path.exists() else None
        if product is not None:
            also = "" if product == path else f" (it is the same file as {path})"
            raise OutputError(
                f"{product} is an input, and would be replaced by a product of the "
                f"same name{also}; choose another output"
            )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def mark_layer(database: sqlite3.Connection, layer: str) -> None:
    """Write in a GeoPackage who made a layer, and what it holds now."""
    digest = _layer_digest(database, layer)
    database.execute(
        "UPDATE gpkg_contents SET description = ? WHERE table_name = ?",
        (f"{signature()}, content {digest}", layer),
    )


def recorded(folder: Path) -> Iterator[Mapping[str, str]]:
    """Give the checksums that a folder's records have of its files, by their names."""
    # Those in the staging folder are there while products are put in place.
    for path in (folder / REPORT, *sorted((folder / STAGING).glob("*.json"))):
        record = _read_json(path)
        sums = record.get("checksums") if "geoseg" in record else None
        if isinstance(sums, dict):
            yield sums


def _origin(path: Path) -> Origin:
    """Weigh what vouches for a file: what knows its content goes before a mere mark."""
    found = {sums[path.name] for sums in recorded(path.parent) if path.name in sums}
    found |= set(_sums_beside(path))
    if found and checksum(path) in found:
        return Origin.OURS
    marked = _marked(path)
    if found and not _is_database(path):
        return Origin.CHANGED
    return marked


def _marked(path: Path) -> Origin:
    """Say, by a file's own mark, who made it."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_SQLITE):
        return _geopackage_origin(path)
    if head.startswith(_TIFFS) and _TIFF_TAG in head:
        return Origin.CHANGED if _TIFF_EDITED in head else Origin.OURS
    if head.startswith(_PNG):
        return Origin.OURS if _PNG_TEXT in head else Origin.FOREIGN
    if path.suffix == ".json":
        return Origin.OURS if "geoseg" in _read_json(path) else Origin.FOREIGN
    is_style = path.suffix == ".qml" and _files_in(head.decode("utf-8", "replace"))
    is_page = path.suffix == ".html" and _PAGE in head
    return Origin.OURS if is_style or is_page else Origin.FOREIGN


def _geopackage_origin(path: Path) -> Origin:
    """A GeoPackage is ours where each of its layers is."""
    found = set(layer_origins(path).values())
    if not found or Origin.FOREIGN in found:
        return Origin.FOREIGN
    return Origin.CHANGED if Origin.CHANGED in found else Origin.OURS


def _layer_origin(database: sqlite3.Connection, layer: str, comment: str) -> Origin:
    match = _CONTENT.search(comment)
    if match is None:
        return Origin.FOREIGN
    same = _layer_digest(database, layer) == match["digest"]
    return Origin.OURS if same else Origin.CHANGED


def _layer_digest(database: sqlite3.Connection, layer: str) -> str:
    """Give the SHA-256 of a layer's rows, and of its styles."""
    digest = hashlib.sha256()
    tables = {
        name
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
    }
    quoted = '"' + layer.replace('"', '""') + '"'
    queries: list[tuple[str, tuple[str, ...]]] = []
    if layer in tables:
        queries.append((f"SELECT * FROM {quoted} ORDER BY rowid", ()))  # noqa: S608  # quoted
    if "layer_styles" in tables:
        styles = "SELECT * FROM layer_styles WHERE f_table_name = ? ORDER BY rowid"
        queries.append((styles, (layer,)))
    for query, values in queries:
        for row in database.execute(query, values):
            for value in row:
                data = value if isinstance(value, bytes) else repr(value).encode()
                digest.update(b"%d:%b" % (len(data), data))
    return digest.hexdigest()


def _sums_beside(path: Path) -> Iterator[str]:
    """Give the checksums that sidecars have of a file."""
    for beside in (path.with_suffix(".qml"), path.with_name(f"{path.name}.aux.xml")):
        if beside == path or not beside.is_file():
            continue
        with beside.open("rb") as file:
            text = file.read(_LARGEST_RECORD).decode("utf-8", "replace")
        if path.suffix in (sums := _files_in(text)):
            yield sums[path.suffix]
    for suffix in (".design.json", ".json"):
        record = _read_json(path.with_name(f"{path.name}{suffix}"))
        if "geoseg" in record and isinstance(record.get("sha256"), str):
            yield str(record["sha256"])


def _files_in(text: str) -> dict[str, str]:
    """Read the checksums of a sidecar, by the suffixes of their files."""
    match = _FILES.search(text)
    pairs = match["files"].split() if match else []
    return dict(pair.split("=", 1) for pair in pairs)


def _read_json(path: Path) -> Mapping[str, object]:
    """Read a JSON object; an empty one where there is none."""
    try:
        if path.stat().st_size > _LARGEST_RECORD:
            return {}
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _database(path: Path) -> sqlite3.Connection:
    """Open a database to look at it, without a lock and without a file beside it."""
    url = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(url, uri=True)


def _is_locked(path: Path) -> bool:
    """Return whether another process reads or writes a database."""
    url = f"file:{quote(str(path.absolute()))}?mode=rw"
    try:
        with closing(
            sqlite3.connect(url, uri=True, timeout=0, isolation_level=None)
        ) as it:
            it.execute("BEGIN EXCLUSIVE")
            it.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)  # else it is damaged, or not to be written
    except sqlite3.DatabaseError:
        return False
    return False
