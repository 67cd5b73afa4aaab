"""What a web server must do so that scenes can be read from it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request

from geoseg.errors import SceneError, SilentError
from geoseg.storage.fingerprint import request_headers
from geoseg.storage.remote import (
    as_url,
    ask,
    read_within,
    refusal,
    without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

_PARTIAL = 206
"""The status of an answer that is a part of a file."""
_START = 32 * 1024
"""Bytes that are asked of a server that may be silent: what GDAL opens a file by."""
_SILENT_S = 10
"""Seconds that it then has, after those that GDAL gave it."""


def check_ranges(path: str) -> None:
    """Refuse a file on a web server that gives whole files only.

    GDAL would read all of it, again and again.

    Args:
        path: A file in GDAL's words; of one elsewhere nothing is asked.

    Raises:
        SceneError: The server does not answer, or ignores which part is wanted.

    """
    url = as_url(path)
    if url is None or not url.startswith(("http://", "https://")):
        return
    with _answer(url, {"Range": "bytes=0-15"}) as answer:
        status = answer.status
    if status != _PARTIAL:
        raise SceneError(
            f"the server of {without_secrets(url)} ignores range requests, so that "
            f"parts of the file cannot be read; download the file first"
        )


def check_answers(path: str) -> None:
    """Refuse a file whose server refuses it now, or is silent: GDAL does not say which.

    Args:
        path: A file in GDAL's words; of one elsewhere nothing is asked.

    Raises:
        SilentError: The server sends nothing, or hardly anything.
        SceneError: It refuses.

    """
    url = as_url(path)
    if url is None or not url.startswith(("http://", "https://")):
        return
    part = {"Range": f"bytes=0-{_START - 1}"}
    try:
        with _answer(url, part, _SILENT_S) as answer:
            read_within(answer, _START, _SILENT_S)
    except SceneError as error:
        cause = error.__cause__
        if isinstance(getattr(cause, "reason", cause), TimeoutError):
            raise SilentError(
                f"the server of {without_secrets(url)} timed out: it answers, if at "
                f"all, without sending what it was asked for; run the same command "
                f"again when it does"
            ) from cause
        raise


def read_start(url: str, size: int) -> bytes:
    """Read a file on a web server, no more than its first bytes.

    Raises:
        SceneError: The server does not answer, or not with the file.

    """
    with _answer(url, {"Accept": "*/*"}) as answer:
        return read_within(answer, size)


@contextmanager
def _answer(
    url: str, headers: dict[str, str], seconds: float | None = None
) -> Iterator[HTTPResponse]:
    """Ask a server; say in a sentence what it refuses."""
    name = without_secrets(url)
    wanted = {**headers, **dict(request_headers(os.environ))}
    request = Request(url, headers=wanted)  # noqa: S310  # callers ask http or https
    try:
        with ask(request, seconds) as answer:
            yield answer
    except HTTPError as error:
        error.close()
        raise SceneError(refusal(url, error)) from error
    except (URLError, HTTPException, TimeoutError, OSError) as error:
        raise SceneError(
            f"{name} does not answer ({getattr(error, 'reason', error)}); check the "
            f"address and the network"
        ) from error
