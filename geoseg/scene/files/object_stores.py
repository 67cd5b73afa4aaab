"""Folders, patterns and lists on object stores, as the rasters they stand for.

GDAL opens one file there at a time. What there is is asked of the store itself; a web
server is not asked, since none says in one way what it has.
"""

from __future__ import annotations

import glob
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from geoseg.errors import SceneError
from geoseg.storage.remote import file_system, read_from, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_WEB = frozenset(("http", "https"))
"""Kinds of address where nothing is listed."""


def list_store(url: str, suffixes: Collection[str]) -> list[str] | None:
    """List the rasters of a folder or of a pattern on an object store.

    Args:
        url: What may be one: a name with ``*`` or with ``/`` behind it, or one without
            an ending.
        suffixes: What the rasters of a folder end in.

    Returns:
        URLs in the order of their names; None where a file is named.

    Raises:
        SceneError: Nothing is found there, or a folder of a web server is named.

    """
    name = urlsplit(url).path
    if is_web(url):
        if name.endswith("/"):
            raise SceneError(
                f"{without_secrets(url)} is a folder on a web server, which cannot be "
                f"listed; name its files, or write their addresses into a text file"
            )
        return None
    if glob.has_magic(url):
        found = _ask(url, lambda system, path: system.glob(path))
    elif name.endswith("/") or not PurePosixPath(name).suffix:
        found = _ask(url, lambda system, path: system.ls(path, detail=False))
        found = [p for p in found if PurePosixPath(p).suffix.lower() in suffixes]
    else:
        return None
    if not found:
        raise SceneError(
            f"nothing is found at {without_secrets(url)} that is known as a raster by "
            f"its name; check the address, or name files"
        )
    return [f"{urlsplit(url).scheme}://{path}" for path in sorted(found)]


def read_list(url: str) -> str:
    """Read a text file on an object store or a web server.

    Raises:
        SceneError: It cannot be read, or is no text.

    """
    content: bytes = _ask(url, lambda system, path: system.cat_file(path))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise SceneError(f"{without_secrets(url)} is no text ({error})") from error


def is_web(url: str) -> bool:
    """Return whether a web server is asked, no object store."""
    return urlsplit(url).scheme.lower() in _WEB


def _ask(url: str, question: Callable[[Any, str], Any]) -> Any:  # noqa: ANN401  # fsspec is untyped
    with read_from(url, "AWS_PROFILE and AWS_ENDPOINT_URL"):
        system, path = file_system(url)
        return question(system, path)
