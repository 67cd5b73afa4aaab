"""What a server answers, or one sentence that says how to do without it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request

from geoseg.errors import GeosegError, ModelError
from geoseg.storage.remote import ask, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answer_of(url: str, advice: str) -> Iterator[Any]:
    """Open an address to be read inside this block.

    Args:
        url: A web server's.
        advice: What its user can do without a network.

    Raises:
        ModelError: It cannot be had.

    """
    try:
        with ask(Request(url)) as answer:  # noqa: S310  # http, or of the table
            yield answer
    except (OSError, GeosegError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(error, HTTPError):
            reason = f"the server answers {error.code}"
        raise ModelError(
            f"{without_secrets(url)} cannot be fetched ({reason}); {advice}"
        ) from error
