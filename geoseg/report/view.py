"""A page beside its map at full resolution: a server for this machine alone.

It listens on the loopback interface, and answers who knows the secret part of its
address, which no other user of the machine does. It serves the page, and tiles of the
map beside it, and of its image where that was named, cut from the rasters' overviews as
they are asked for: nothing else in the folder, and nothing outside. As a page shows a
map on its own pixels, a tile is one window of one overview, and no tile server with a
grid of its own is needed.
"""

from __future__ import annotations

import errno
import logging
import re
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from geoseg.errors import GeosegError, InputError
from geoseg.raster import ClassMap
from geoseg.report.pyramid import ClassPlanes, image_tile, levels_of, map_tile
from geoseg.storage.authorship import PAGE, Origin, origin_of

if TYPE_CHECKING:
    from types import TracebackType

    from geoseg.report.imagery import Shown

_LOG = logging.getLogger(__name__)
_HERE = "127.0.0.1"
_MAP, _CONFIDENCE = "landcover.tif", "confidence.tif"
_TILE = re.compile(r"tiles/(map|image)/(\d{1,2})/(\d{1,7})/(\d{1,7})")
_PLAIN, _SERVED = (
    '<html lang="en">',
    '<html lang="en" data-tiles="tiles" data-served="{}">',
)
_IDLE_S = 60
"""Seconds after which a connection that asks for nothing is closed."""
_TAKEN = {errno.EADDRINUSE, errno.EACCES}


class PageServer:
    """A folder's page and tiles, served on this machine."""

    def __init__(
        self, folder: Path | str, port: int, image: Shown | None = None
    ) -> None:
        """Look at the folder, and take the port, or another one where it is taken.

        Args:
            folder: Where the page is.
            port: Where it is served; 0 for any that is free.
            image: What the map beside the page was made of; None to show no more of
                it than the page holds.

        Raises:
            InputError: The folder has no page, or the port is none.

        """
        secret = secrets.token_urlsafe(18)
        site = _Site.of(Path(folder), f"/{secret}/", image)
        handler = type("Handler", (_Handler,), {"site": site})
        self._server = _listen(port, handler)
        self.port: int = self._server.server_address[1]
        """Where it is served."""
        self.url = f"http://{_HERE}:{self.port}/{secret}/"
        """What a browser is to open."""

    def serve(self) -> None:
        """Answer until `close` is called in another thread, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering: `serve` returns."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        """Give the server, whose port is released at the end."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Release the port."""
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """One that keeps to itself what becomes of a request."""

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # socketserver's signature
        """Log it: that a browser went away is no news for the terminal."""
        _LOG.debug("a request of %s came to nothing", client_address, exc_info=True)


def _listen(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return _Server((_HERE, port), handler)
    except OverflowError as error:
        raise InputError(f"a port is 0 to 65535, got {port}") from error
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return _Server((_HERE, 0), handler)


@dataclass(frozen=True, slots=True)
class _Site:
    """What is served."""

    root: str
    """The secret part of the address, with slashes about it."""
    page: bytes
    """The page, which knows that there is a server."""
    planes: ClassPlanes | None
    """The map of which tiles are cut; None where there is none beside the page."""
    image: Shown | None
    """The image of which tiles are cut; None where there is none."""

    @classmethod
    def of(cls, folder: Path, root: str, image: Shown | None) -> _Site:
        """Look at a folder.

        Raises:
            InputError: It has no page, or somebody changed that.

        """
        text, planes = page_in(folder), planes_in(folder)
        layers = {"map": planes, "image": image}
        served = " ".join(name for name, each in layers.items() if each is not None)
        text = text.replace(_PLAIN, _SERVED.format(served), 1)
        return cls(root, text.encode(), planes, image)

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Give status, media type and content of what a path asks for."""
        begins = path[: len(self.root)].encode()  # compared as bytes: any may be sent
        if not secrets.compare_digest(begins, self.root.encode()):
            return HTTPStatus.NOT_FOUND, "", b""
        wanted = path[len(self.root) :]
        if not wanted:
            return HTTPStatus.OK, "text/html; charset=utf-8", self.page
        asked = _TILE.fullmatch(wanted)
        if asked is None or self.planes is None:
            return HTTPStatus.NOT_FOUND, "", b""
        layer, *position = asked.groups()
        return self._tile(layer, *map(int, position))

    def _tile(
        self, layer: str, z: int, row: int, col: int
    ) -> tuple[HTTPStatus, str, bytes]:
        if self.planes is None or (layer == "image" and self.image is None):
            return HTTPStatus.NOT_FOUND, "", b""
        levels = levels_of(self.planes.geobox.height, self.planes.geobox.width)
        if z >= len(levels) or not levels[z].has(row, col):
            return HTTPStatus.NOT_FOUND, "", b""
        window = levels[z].window(row, col)
        if layer == "image" and self.image is not None:
            picture = image_tile(self.image, self.planes.geobox, levels[z], window)
            return HTTPStatus.OK, "image/jpeg", picture
        tile = map_tile(self.planes, levels[z], window)
        if tile is None:
            return HTTPStatus.NO_CONTENT, "", b""
        return HTTPStatus.OK, "application/octet-stream", tile


def page_in(folder: Path) -> str:
    """Read the page of a folder.

    Raises:
        InputError: It has none, or somebody changed that.

    """
    page = folder / PAGE
    if origin_of(page) is not Origin.OURS:
        why = "is not as geoseg wrote it" if page.exists() else "is not there"
        raise InputError(
            f"{page} {why}: name a folder that geoseg segment or geoseg change "
            f"left, and give `report_size` other than 0 where it was left out"
        )
    return page.read_text(encoding="utf-8")


def planes_in(folder: Path) -> ClassPlanes | None:
    """Open the map of a folder, and what it is sure of; None without a map."""
    if not (folder / _MAP).is_file():
        return None
    found = ClassMap.open(folder / _MAP)
    if found.values is not None:  # another program's, whose values are no ids
        return None
    confidence = folder / _CONFIDENCE
    if confidence.is_file():
        sure = ClassMap.measures(confidence)
        if sure.geobox.same_plane_as(found.geobox):
            return ClassPlanes(found.geobox, found.path, confidence)
    return ClassPlanes(found.geobox, found.path, None)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    site: _Site
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_GET(self) -> None:  # as http.server calls it
        """Answer a browser on this machine that was given the address."""
        # A name that somebody else's server resolves to 127.0.0.1 is no address here.
        is_ours = self.headers.get("Host", "").rpartition(":")[0] in {
            _HERE,
            "localhost",
        }
        status, kind, content = HTTPStatus.NOT_FOUND, "", b""
        try:
            if is_ours:
                status, kind, content = self.site.answer(self.path)
        except GeosegError:  # the map went away, or is another one by now
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, _format: str, *_values: object) -> None:
        """Say nothing: the terminal is the user's."""
