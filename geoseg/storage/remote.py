"""What is beyond this disk: addresses, object stores, and the settings that reach them.

GDAL reads scenes from there, and fsspec keeps runs and maps there. Both take what
they need, keys and endpoints, from the environment; where their names for it differ,
each is configured in its own words, so that one set of variables serves both.
"""

from __future__ import annotations

import os
import re
import time
from base64 import b64encode
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from geoseg.errors import GeosegError, InputError, SceneError
from geoseg.storage.signing import signed
from geoseg.storage.timeouts import forget, patience, remember
from geoseg.storage.waiting import notify, notify_if_long

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPMessage, HTTPResponse
    from pathlib import Path

    from fsspec import AbstractFileSystem

_VSI = {
    "/vsicurl/": "",
    "/vsis3/": "s3://",
    "/vsigs/": "gs://",
    "/vsiaz/": "az://",
    "/vsiadls/": "abfs://",
    "/vsioss/": "oss://",
}
"""What GDAL's own prefixes of paths stand for."""
_SCHEME = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://")
"""How a URL of what is beyond this disk begins; GDAL's ``HDF5:"file.h5"://red`` does
not."""
_FILE = re.compile(r"\Afile://(?:/(?=[A-Za-z]:[/\\]))?")
"""How the address of a file begins; before a drive of Windows stands a slash more."""
_TRAVEL = ("AWS_", "AZURE_", "GS_", "GOOGLE_", "GDAL_", "CPL_", "VSI", "FSSPEC_")
"""How the names of the settings begin that reach servers and stores."""
_PACKAGES = {
    "s3": "geoseg[s3]",
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "oss": "ossfs",
}
"""What to install for a kind of URL."""

ANSWER_S = 20.0
"""Seconds that a web server has to answer, and again to send what is read of a file's
beginning."""
_HICCUPS = frozenset((429, 500, 502, 503, 504))
"""Statuses after which it is asked again."""
_PORTS = {"http": 80, "https": 443}
_PAUSES_S = 0.3, 0.9
"""Seconds before each time."""


def as_url(path: str | Path) -> str | None:
    """Write a path beyond this disk as a URL; None for a path on this disk.

    Example:
        >>> as_url("/vsis3/bucket/scene.tif")
        's3://bucket/scene.tif'
        >>> as_url("scene.tif")

    """
    text = str(path)
    for prefix, scheme in _VSI.items():
        if text.startswith(prefix):
            return scheme + text.removeprefix(prefix)
    return text if _SCHEME.match(text) else None


def on_disk(path: str | Path) -> str:
    """Write a path on this disk as the system does, without ``file://``.

    Example:
        >>> on_disk("file:///data/scene.tif"), on_disk("file:///C:/data/scene.tif")
        ('/data/scene.tif', 'C:/data/scene.tif')

    """
    return _FILE.sub("", str(path))


def without_secrets(path: str | Path) -> str:
    """Leave out of a URL what may be secret: user, password, signature.

    Example:
        >>> without_secrets("https://me:word@host/scene.tif?sig=1")
        'https://host/scene.tif'

    """
    url = as_url(path)
    if url is None:
        return str(path)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def nothing_at(url: str, error: FileNotFoundError) -> str:
    """Say that there is nothing at a URL, with more of it where a store says more."""
    why = f" ({error})" if " " in str(error) else ""
    return f"there is nothing at {without_secrets(url)}{why}; check the address"


def refusal(url: str, error: HTTPError) -> str:
    """Say what a web server answered instead of a file."""
    return (
        f"{without_secrets(url)} answers {error.code} ({error.reason}); check the "
        f"address, and whether it wants a login"
    )


@contextmanager
def read_from(url: str, settings: str) -> Iterator[None]:
    """Say in a sentence why nothing can be read from a URL.

    Args:
        url: The URL; its secrets are left out.
        settings: Variables that the person at the terminal may look at.

    Raises:
        SceneError: Something inside this block failed.

    """
    try:
        yield
    except GeosegError as error:
        raise SceneError(str(error)) from error
    except FileNotFoundError as error:
        raise SceneError(nothing_at(url, error)) from error
    except Exception as error:  # each store's client has errors of its own
        if isinstance(error, HTTPError):
            error.close()  # else its socket lives as long as what is raised
        raise SceneError(
            f"{without_secrets(url)} cannot be read ({' '.join(str(error).split())}); "
            f"check the address, and the settings that reach it, such as {settings}"
        ) from error


def ask(request: Request, seconds: float | None = None) -> HTTPResponse:
    """Send a web server a request, and again where it hiccups.

    Args:
        request: What is asked.
        seconds: How long it has to answer; `ANSWER_S` where None. One that was silent
            a moment ago has less.

    Raises:
        HTTPError: It answers with a status of 400 or more, of 500 three times.
        OSError: It does not answer.

    """
    for pause in _PAUSES_S:
        try:
            return _open(request, seconds)
        except HTTPError as error:
            if error.code not in _HICCUPS:
                raise
            notify(
                f"{without_secrets(request.full_url)} answers {error.code}; it is "
                f"asked again in {pause:g} s, three times in all"
            )
            error.close()
        time.sleep(pause)
    return _open(request, seconds)


def _open(request: Request, seconds: float | None) -> HTTPResponse:
    url = request.full_url
    seconds = patience(url, seconds or ANSWER_S)
    with (
        notify_if_long(without_secrets(url), f"it is given up after {seconds:g} s"),
        _silence_remembered(url),
    ):
        answer: HTTPResponse = _opener().open(_as_sent(request), timeout=seconds)
    return answer


@contextmanager
def _silence_remembered(url: str) -> Iterator[None]:
    """Remember that a server is silent, where something in here waits in vain."""
    try:
        yield
    except OSError as error:
        if isinstance(getattr(error, "reason", error), TimeoutError):
            remember(url)
        raise


def read_within(answer: HTTPResponse, size: int, seconds: float | None = None) -> bytes:
    """Read what a server answers, no more than some bytes, and not for ever.

    Raises:
        TimeoutError: It sends so slowly that it counts as silent.

    """
    seconds = patience(answer.url, seconds or ANSWER_S)
    end, parts = time.monotonic() + seconds, list[bytes]()
    name = without_secrets(answer.url)
    with (
        notify_if_long(name, f"it is given up after {seconds:g} s"),
        _silence_remembered(answer.url),
    ):
        while size > 0 and (part := answer.read1(size)):
            parts.append(part)
            size -= len(part)
            if time.monotonic() > end:
                raise TimeoutError(f"it sent too little in {seconds:g} s")
    forget(answer.url)
    return b"".join(parts)


def _as_sent(request: Request) -> Request:
    """Sign a request whose address says who does, and give it its login."""
    url = signed(request.full_url)
    if url != request.full_url:
        headers, method = dict(request.header_items()), request.get_method()
        request = Request(url, headers=headers, method=method)  # noqa: S310  # as it was
    return _with_login(request)


def _with_login(request: Request) -> Request:
    """Bring user and password of an address to where they belong, and nowhere else.

    GDAL does so by itself; Python takes them for a part of the host's name.
    """
    parts = urlsplit(request.full_url)
    if parts.username is None:
        return request
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=host))
    encoded = b64encode(login.encode()).decode()
    headers = {**dict(request.header_items()), "Authorization": f"Basic {encoded}"}
    return Request(url, headers=headers, method=request.get_method())  # noqa: S310  # as it was


class _SameServer(HTTPRedirectHandler):
    """Follow a server to other addresses of its own, and to no other server.

    Who names a server has not named those that it leads to: one of them could be a
    machine that only this one reaches, and would be shown what opens the first.
    """

    def redirect_request(  # urllib's
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if not _is_same_server(req.full_url, newurl):
            fp.close()
            raise SceneError(
                f"{without_secrets(req.full_url)} leads to {without_secrets(newurl)}, "
                f"on a server that you did not name; if you trust it, name that "
                f"address itself"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_same_server(here: str, there: str) -> bool:
    """Return whether two URLs are of one server, or the second is its encrypted one."""
    old, new = urlsplit(here), urlsplit(there)
    if old.hostname != new.hostname:
        return False
    ports = tuple(each.port or _PORTS.get(each.scheme) for each in (old, new))
    schemes = old.scheme, new.scheme
    if schemes == ("http", "https"):
        return ports == (_PORTS["http"], _PORTS["https"])
    return old.scheme == new.scheme and ports[0] == ports[1]


@cache
def _opener() -> OpenerDirector:
    return build_opener(_SameServer)


def settings() -> dict[str, str]:
    """The settings of this process that reach servers and stores. They hold secrets."""
    return {k: v for k, v in os.environ.items() if k.startswith(_TRAVEL)}


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """Open the file system of an object store.

    Args:
        url: A URL in it, such as ``s3://bucket/prefix``.

    Returns:
        The file system, and the path in it.

    Raises:
        InputError: No such kind of file system is known or installed.

    """
    import fsspec  # noqa: PLC0415  # most runs need none

    kind = urlsplit(url).scheme
    try:
        options = _s3_options(os.environ) if kind in {"s3", "s3a"} else {}
        system, path = fsspec.url_to_fs(url, use_listings_cache=False, **options)
    except (ImportError, ValueError) as error:
        wanted = _PACKAGES.get(kind)
        advice = f"; pip install '{wanted}'" if wanted else ""
        raise InputError(
            f"{without_secrets(url)} cannot be reached ({error}){advice}"
        ) from error
    return system, path


def gdal_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give GDAL's settings for an S3 endpoint that is named as boto's.

    Example:
        >>> gdal_settings({"AWS_ENDPOINT_URL": "http://localhost:9000"})["AWS_HTTPS"]
        'NO'

    """
    named = _boto_endpoint(environment)
    if not named or "AWS_S3_ENDPOINT" in environment:
        return {}
    url = urlsplit(named)
    return {
        "AWS_S3_ENDPOINT": f"{url.netloc}{url.path.rstrip('/')}",
        "AWS_HTTPS": "NO" if url.scheme == "http" else "YES",
        # As boto does on an endpoint that is not Amazon's.
        "AWS_VIRTUAL_HOSTING": environment.get("AWS_VIRTUAL_HOSTING", "FALSE"),
    }


def _boto_endpoint(environment: Mapping[str, str]) -> str | None:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((environment[name] for name in names if environment.get(name)), None)


def _s3_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Understand GDAL's names of settings that s3fs has other names for."""
    options: dict[str, Any] = {}
    if environment.get("AWS_NO_SIGN_REQUEST", "").upper() in {"YES", "TRUE", "ON", "1"}:
        options["anon"] = True
    host = environment.get("AWS_S3_ENDPOINT")
    # Named though boto would find it, too: fsspec keeps one file system for equal
    # options, and would go on with an endpoint that is no longer set.
    if named := _boto_endpoint(environment):
        options["endpoint_url"] = named
    elif host:
        plain = environment.get("AWS_HTTPS", "YES").upper() in {"NO", "FALSE", "OFF"}
        scheme = "" if "://" in host else "http://" if plain else "https://"
        options["endpoint_url"] = f"{scheme}{host}"
    return options
