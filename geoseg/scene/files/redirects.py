"""GDAL kept with the servers that were named.

geoseg asks a server for a file before GDAL does, and follows it to no other server.
GDAL follows wherever a later answer leads, and no release of it so far can be set not
to. It can be given a proxy, though, and curl below it of servers that need none: here
the proxy is one that does not exist, and the servers are those that were named. What
leads elsewhere ends in curl, before anything is looked up or sent.
"""

from __future__ import annotations

import os
import re
from threading import Lock
from urllib.parse import unquote, urlsplit

_NOWHERE = "unnamed-server://none"
"""A proxy of a kind that curl does not know: it ends such requests by itself."""
_UNSUPPORTED = "Unsupported proxy scheme"
"""How curl says so."""
_EXEMPT = "no_proxy"
"""Where curl looks first for the servers that need no proxy; GDAL cannot set it."""
_PROXIES = (
    *("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
)
"""Where a network's own proxy is set."""
_ADDRESS = re.compile(r"/vsicurl[^:%]*?(https?(?:://|%3A%2F%2F).*)", re.IGNORECASE)

_lock = Lock()


def stay_with(path: str) -> dict[str, str]:
    """Give the settings under which GDAL asks no server but those that were named.

    The server of the path is one of them from now on, in this process. Names of hosts
    are compared: curl lets pass other ports of a host, and hosts inside its domain.

    Args:
        path: A file in GDAL's words.

    Returns:
        Settings for GDAL; none where it does not ask a web server, or the network has
        a proxy of its own: then that one decides what is reached.

    """
    found = _ADDRESS.match(path[path.find("/vsicurl") :])
    if found is None or any(map(os.environ.get, _PROXIES)):
        return {}
    host = urlsplit(unquote(found[1])).hostname or ""
    with _lock:
        hosts = os.environ.get(_EXEMPT, "").split(",")
        if host not in hosts:
            os.environ[_EXEMPT] = ",".join([*filter(None, hosts), host])
    return {"GDAL_HTTP_PROXY": _NOWHERE}


def in_words(reason: str) -> str:
    """Say what GDAL was kept from; anything else as it is.

    Example:
        >>> in_words("HTTP response code: 302 - Unsupported proxy scheme for 'a://b'")
        'it leads to a server that you did not name'

    """
    return (
        "it leads to a server that you did not name"
        if _UNSUPPORTED in reason
        else reason
    )
