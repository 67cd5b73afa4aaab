"""Where a document's references lead, and whether they may.

Documents are data. What they refer to is read only if the user named its folder or
its server, or says that references beyond are fine; and it is a plain path or address,
never a word by which GDAL would do more than open a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from geoseg.errors import SceneError
from geoseg.scene.files.paths import gdal_path
from geoseg.storage.remote import as_url, on_disk, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._-]+):")
"""How an address begins, and a driver's own name too; a drive has one letter."""
_ADDRESS = re.compile(r"[\x21-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7e]+")
"""Characters of an address: no blanks, no backslashes that some take for slashes."""
_SHOWN = 120
"""Characters of a reference that a message shows."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What documents may refer to."""

    folders: tuple[Path, ...]
    """Folders on a disk, resolved."""
    servers: frozenset[str]
    """Servers and buckets, such as ``https://host`` or ``s3://bucket``."""
    anywhere: bool = False
    """Whether references elsewhere are fine, too."""

    @classmethod
    def of(
        cls, folders: Iterable[Path], paths: Iterable[str], *, anywhere: bool
    ) -> Reach:
        """Let documents refer to what is beside anything that the user named.

        Args:
            folders: Those that were named, or hold a file that was.
            paths: All that was named, in GDAL's words.
            anywhere: Whether the user allows everything else.

        """
        urls = (as_url(path) for path in paths)
        servers = frozenset(server_of(url) for url in urls if url is not None)
        return cls(tuple(each.resolve() for each in folders), servers, anywhere)

    def follow(self, href: str, document: str) -> str:
        """Find what a reference names, in GDAL's words.

        Args:
            href: The reference, as the document writes it.
            document: Where the document is, in GDAL's words.

        Raises:
            SceneError: It is no path or address, or leads where it may not.

        """
        base = as_url(document)
        if not href.strip() or href.lstrip().startswith(("<", "/vsi", "{")):
            raise SceneError(
                f"{_reference(document, href)}, which is no path or address"
            )
        scheme = _SCHEME.match(href)
        if scheme is None and base is None:
            return self._file(Path(document).parent / href, href, document)
        if scheme is None or scheme[1].lower() != "file":
            return self._address(_joined(base or "", href), href, document)
        if base is not None and not self.anywhere:
            raise SceneError(
                f"{_reference(document, href)}, a file of this machine; if you trust "
                f"the document, say so with `allow_external_references`"
            )
        path = on_disk(f"file://{unquote(urlsplit(href).path)}")
        return self._file(Path(path), href, document)

    def _file(self, path: Path, href: str, document: str) -> str:
        try:
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise SceneError(
                f"{_reference(document, href)}, which is no path ({error})"
            ) from error
        inside = any(resolved.is_relative_to(folder) for folder in self.folders)
        if not (inside or self.anywhere) or str(path).startswith("/vsi"):
            raise SceneError(
                f"{_reference(document, href)}, which is in no folder that you named; "
                f"if you trust the document, say so with `allow_external_references`"
            )
        return str(path)

    def _address(self, url: str, href: str, document: str) -> str:
        if not _ADDRESS.fullmatch(url) or "://" not in url or not urlsplit(url).netloc:
            raise SceneError(
                f"{_reference(document, href)}, which is no path or address"
            )
        path, server = gdal_path(url), server_of(url)
        if server not in self.servers and not self.anywhere:
            raise SceneError(
                f"{without_secrets(document)} refers to files on {server}, which you "
                f"did not name; if you trust the document, say so with "
                f"`allow_external_references`"
            )
        return path


def server_of(url: str) -> str:
    """Name the server or bucket of a URL, without user and password.

    Example:
        >>> server_of("https://me:word@Host:8080/scene.tif?sig=1")
        'https://host:8080'

    """
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def _joined(base: str, href: str) -> str:
    """Resolve a reference, in addresses of object stores as in those of web servers."""
    if _SCHEME.match(href) or not base:
        return href
    scheme, _, rest = base.partition("://")
    return scheme + urljoin(f"https://{rest}", href).removeprefix("https")


def _reference(document: str, href: str) -> str:
    """Begin a sentence about a reference, which may be of any length."""
    short = href if len(href) <= _SHOWN else f"{href[:_SHOWN]}..."
    return f"{without_secrets(document)} refers to {without_secrets(short)!r}"
