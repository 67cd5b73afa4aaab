"""Servers that fell silent: who asks one again soon is not patient with it again.

Several reads wait for one server at a time, and each of them, and what is tried again,
would wait as long as the first. So silence is remembered for a while, and such a server
is asked with little patience until it answers.
"""

from __future__ import annotations

import time
from threading import Lock
from urllib.parse import urlsplit

_REMEMBERED_S = 60.0
"""Seconds after which a server gets all the patience again."""
PROBE_S = 2.0
"""Seconds that a server has to answer which was silent a moment ago."""

_lock = Lock()
_silent: dict[str, float] = {}
"""When servers were silent last, by their host and port."""


def remember(url: str) -> None:
    """Note that a server is silent."""
    with _lock:
        _silent[_server(url)] = time.monotonic()


def forget(url: str) -> None:
    """Note that a server answers."""
    with _lock:
        _silent.pop(_server(url), None)


def was_silent(url: str) -> bool:
    """Return whether a server was silent a moment ago, and has not answered since.

    Example:
        >>> remember("https://example.org/a.tif")
        >>> was_silent("https://example.org/b.tif"), was_silent("https://example.com/")
        (True, False)
        >>> forget("https://example.org/")
        >>> was_silent("https://example.org/b.tif")
        False

    """
    with _lock:
        when = _silent.get(_server(url))
    return when is not None and time.monotonic() - when < _REMEMBERED_S


def patience(url: str, seconds: float) -> float:
    """Say how long a server has to answer, which has so many seconds at most."""
    return min(seconds, PROBE_S) if was_silent(url) else seconds


def _server(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
