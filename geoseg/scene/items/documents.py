"""JSON documents that stand for scenes: recognised among rasters, and read."""

from __future__ import annotations

import json
from posixpath import splitext
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from geoseg.errors import InputError, SceneError
from geoseg.scene.files.paths import SUFFIXES, file_of
from geoseg.scene.files.servers import read_start
from geoseg.storage.remote import as_url, file_system, without_secrets

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES = frozenset((".json", ".geojson"))
"""What JSON documents end in."""
_LONGEST = 128_000_000
"""Bytes of the longest document that is read: a search with some thousand items."""
_BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before the first brace."""
_SNIFFED = 64
"""Bytes that show whether a file is JSON."""


def is_document(path: str) -> bool:
    """Return whether a path holds JSON: by its name, or else by how it begins.

    A file whose name is a raster's is not looked at, and of other paths than files
    and web servers only the name counts.
    """
    url = as_url(path)
    suffix = splitext(path if url is None else urlsplit(url).path)[1].lower()
    if suffix in _SUFFIXES:
        return True
    if suffix in SUFFIXES:
        return False
    if url is not None:
        return url.startswith(("http://", "https://")) and _is_json(
            read_start(url, _SNIFFED)
        )
    file = file_of(path)
    return file is not None and file.is_file() and _is_json(_start_of(file))


def read_document(path: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SceneError: It cannot be read, is too long, or is no JSON object.

    """
    name = without_secrets(path)
    content = read_bytes(path)
    try:
        found = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{name} is no JSON that can be read ({error})") from error
    if not isinstance(found, dict):
        raise SceneError(f"{name} holds no JSON object, so it is no STAC document")
    return found


def read_bytes(path: str) -> bytes:
    """Read a document on a disk, a server or an object store.

    Raises:
        SceneError: It cannot be read, or is too long.

    """
    content = _content(path, without_secrets(path))
    if len(content) > _LONGEST:
        raise SceneError(
            f"{without_secrets(path)} is too long for a document (over {_LONGEST:,} "
            f"bytes); split it, or name fewer items"
        )
    return content


def _content(path: str, name: str) -> bytes:
    url = as_url(path)
    try:
        if url is None:
            with open(path, "rb") as file:  # noqa: PTH123  # a path is a string
                return file.read(_LONGEST + 1)
        if url.startswith(("http://", "https://")):
            return read_start(url, _LONGEST + 1)
        system, inside = file_system(url)
        return bytes(system.cat_file(inside, start=0, end=_LONGEST + 1))
    except InputError as error:
        raise SceneError(str(error)) from error
    except Exception as error:  # each store's client has errors of its own
        raise SceneError(f"{name} cannot be read ({error})") from error


def _start_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_SNIFFED)
    except OSError:
        return b""  # what opens it as a raster says what is wrong


def _is_json(start: bytes) -> bool:
    return start.lstrip(_BLANK).startswith(b"{")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
