"""What a server must do so that parts of a file can be read from it."""

from __future__ import annotations

import os
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from geoseg.errors import SceneError
from geoseg.remote import as_url, without_secrets

_ANSWER_S = 30
"""Seconds that a server has to answer."""
_PARTIAL = 206
"""The status of an answer that is a part of a file."""


def check_ranges(place: str) -> None:
    """Refuse a file on a web server that gives whole files only.

    GDAL would read all of it, again and again.

    Args:
        place: A file in GDAL's words; of one elsewhere nothing is asked.

    Raises:
        SceneError: The server does not answer, or ignores which part is wanted.

    """
    url = as_url(place)
    if url is None or not url.startswith(("http://", "https://")):
        return
    name = without_secrets(url)
    wanted = {"Range": "bytes=0-15"}
    if bearer := os.environ.get("GDAL_HTTP_BEARER"):
        wanted["Authorization"] = f"Bearer {bearer}"
    request = Request(url, headers=wanted)  # noqa: S310  # http or https, checked above
    try:
        with urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310  # the same
            status = answer.status
    except HTTPError as error:
        error.close()
        raise SceneError(
            f"{name} answers {error.code} ({error.reason}); check the address, and "
            f"whether it wants a login"
        ) from error
    except (URLError, TimeoutError, OSError) as error:
        raise SceneError(
            f"{name} does not answer ({getattr(error, 'reason', error)}); check the "
            f"address and the network"
        ) from error
    if status != _PARTIAL:
        raise SceneError(
            f"the server of {name} ignores range requests, so that parts of the file "
            f"cannot be read; download the file first"
        )
