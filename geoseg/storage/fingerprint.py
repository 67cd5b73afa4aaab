"""What distinguishes one input file from another, or from itself after a change.

A resumed run must know that its inputs are what they were. Hashing 40 GB would take
minutes, so a file is known by its path, its size, when it was changed (on a server:
its ETag) and a hash of its first bytes, where a raster's header is.
"""

from __future__ import annotations

import hashlib
import os
import stat
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request

from geoseg.errors import STREAM, ChangedError, RunError, SceneError, is_stream
from geoseg.storage.remote import (
    as_url,
    ask,
    file_system,
    on_disk,
    read_from,
    read_within,
    refusal,
    without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADER = 64 * 1024
"""Bytes that are hashed."""
_GONE = frozenset((404, 410))
"""The answers of a web server that mean that there is no such file."""
_inodes: dict[str, int] = {}
"""Which file of the disk each was when this process looked at it first or anew: a copy
of it, on another machine or after a move, is the same file to others, and not to a run
under way, whatever its time says."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One file as it is now."""

    path: str
    """Where it is: an absolute path, or a URL without user, password or query."""
    size: int
    """Its size in bytes; -1 where a server does not say."""
    changed: str
    """When it was changed, or the ETag and the time that a server gives it."""
    header: str
    """A hash of its first 64 KiB; of a folder's, of what is in it."""


def take_fingerprint(source: Path | str) -> Fingerprint:
    """Look at a file, a URL (``https://``, ``s3://``, ...) or a path of GDAL's.

    At most one small read; a file's pixels are not looked at. Of a folder that is one
    raster, names, sizes and times of all files are.

    Raises:
        SceneError: It is gone or cannot be read; the message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = file.write(b"pixels"), file.flush()
        ...     take_fingerprint(file.name).size
        6

    """
    url = as_url(source)
    if url is None:
        path = Path(on_disk(source))
        return _of_folder(path) if path.is_dir() else _of_file(path)
    name = without_secrets(url)
    with read_from(url, "AWS_PROFILE or GDAL_HTTP_BEARER"):
        if url.startswith(("http://", "https://")):
            return _of_address(url, name)
        return _of_object(url, name)


def check_unchanged(source: Path | str, known: Fingerprint, *, wholly: bool) -> None:
    """Prove that a file is still the one that was read before.

    Of a file on this disk size and time are looked at, and nothing is read.

    Args:
        source: See `take_fingerprint`.
        known: What it was.
        wholly: Look at what is on a server, and at folders that are one raster, too:
            one request, or a look at each file.

    Raises:
        ChangedError: It was changed, replaced or taken away.
        RunError: A server does not say; the message says what it answers.

    """
    if not _is_same(source, known, wholly=wholly):
        name = (
            source if as_url(source) is None else known.path
        )  # a link, as it was given
        raise ChangedError(
            f"{name} is not what it was when it was first looked at: it was "
            f"changed, replaced or taken away while it was read, and what was made of "
            f"it may be of both; run the same command again with `restart`"
        )


def _is_same(source: Path | str, known: Fingerprint, *, wholly: bool) -> bool:
    try:
        if as_url(source) is None:
            status = os.stat(on_disk(source))  # noqa: PTH116  # each read
            if not stat.S_ISDIR(status.st_mode):
                state = status.st_size, str(status.st_mtime_ns)
                inode = _inodes.get(known.path, status.st_ino)
                return (*state, status.st_ino) == (known.size, known.changed, inode)
        return not wholly or take_fingerprint(source) == known
    except (OSError, SceneError) as error:
        url, cause = as_url(source), error.__cause__
        if url is None or _is_gone(cause):
            return False
        # A server that refuses or is silent says nothing of the file.
        why = refusal(url, cause) if isinstance(cause, HTTPError) else str(error)
        raise RunError(why) from error


def _is_gone(cause: BaseException | None) -> bool:
    """Whether a server or a store says that there is no such file (any more)."""
    if isinstance(cause, HTTPError):
        return cause.code in _GONE
    return isinstance(cause, FileNotFoundError)


def _of_file(path: Path) -> Fingerprint:
    if is_stream(path):
        raise SceneError(f"{path} {STREAM}")
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            header = file.read(_HEADER)
    except OSError as error:
        raise SceneError(f"{path} cannot be read ({error.strerror})") from error
    changed, resolved = str(status.st_mtime_ns), str(path.resolve())
    _inodes[resolved] = status.st_ino
    return Fingerprint(resolved, status.st_size, changed, _hash(header))


def _of_folder(folder: Path) -> Fingerprint:
    """Look at all files of a folder that is one raster, such as a Zarr store."""
    listed: list[tuple[str, int, int]] = []
    try:
        for above, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(above, name)  # noqa: PTH118  # a million of them
                status = os.stat(path)  # noqa: PTH116  # the same
                listed.append((path, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise SceneError(f"{folder} cannot be read ({error.strerror})") from error
    inside = sorted((os.path.relpath(path, folder), *marks) for path, *marks in listed)
    size = sum(size for _, size, _ in listed)
    changed = str(max((changed for *_, changed in listed), default=0))
    return Fingerprint(
        str(folder.resolve()), size, changed, _hash(repr(inside).encode())
    )


def _of_address(url: str, name: str) -> Fingerprint:
    """One request is enough; a server that knows no ranges is hung up on."""
    wanted = {"Range": f"bytes=0-{_HEADER - 1}", **dict(request_headers(os.environ))}
    request = Request(url, headers=wanted)  # noqa: S310  # http or https, checked above
    with ask(request) as answer:
        header = read_within(answer, _HEADER)
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
        length = whole or answer.headers.get("Content-Length", "")
        marks = (answer.headers.get(name) for name in ("ETag", "Last-Modified"))
        changed = " ".join(each for each in marks if each)
    size = int(length) if length.isdigit() else -1
    return Fingerprint(name, size, changed, _hash(header))


def request_headers(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give the headers that GDAL is set to send, from its settings."""
    for line in environment.get("GDAL_HTTP_HEADERS", "").splitlines():
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()
    if bearer := environment.get("GDAL_HTTP_BEARER"):
        yield "Authorization", f"Bearer {bearer}"
    elif user := environment.get("GDAL_HTTP_USERPWD"):
        yield "Authorization", f"Basic {b64encode(user.encode()).decode()}"


def _of_object(url: str, name: str) -> Fingerprint:
    system, path = file_system(url)
    system.invalidate_cache()  # listings of before
    info = system.info(path)
    if info["type"] == "directory":
        return _of_objects(name, system.find(path, detail=True))
    header = system.cat_file(path, start=0, end=_HEADER)
    return Fingerprint(name, int(info["size"]), _mark(info), _hash(header))


def _of_objects(name: str, found: Mapping[str, Mapping[str, Any]]) -> Fingerprint:
    """Look at all objects of a folder that is one raster."""
    inside = [(path, info["size"], _mark(info)) for path, info in sorted(found.items())]
    size = sum(size for _, size, _ in inside)
    return Fingerprint(name, size, "", _hash(repr(inside).encode()))


def _mark(info: Mapping[str, Any]) -> str:
    """What a store says of an object that changes when the object does."""
    marks = ("ETag", "etag", "LastModified", "last_modified", "mtime", "created")
    return next((str(info[mark]) for mark in marks if info.get(mark)), "")


def _hash(header: bytes) -> str:
    return hashlib.blake2b(header, digest_size=16).hexdigest()
