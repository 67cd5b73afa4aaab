"""Addresses that have to be signed to be read: signed at the moment of reading.

A signature is a secret and expires within the hour. So an address carries no more than
the name of its signer, in the part behind ``#`` that is sent to no server, and is
signed where a request is made of it. What is stored or shown never has a signature.
"""

from __future__ import annotations

from threading import Lock

from geoseg.errors import SceneError, needs
from geoseg.storage.waiting import notify_if_long

_PACKAGE = "planetary_computer"
_MARK = "#signed-by=planetary-computer"
_WEB = ("http://", "https://")
_GDAL = "/vsicurl/"

_lock = Lock()
"""One thread asks for a signature, and the others find it in the package's memory."""


def check_signer() -> None:
    """Prove that addresses can be signed.

    Raises:
        SceneError: What signs them is not installed.

    """
    needs(_PACKAGE, "planetary-computer", "signing files of its servers", SceneError)


def to_be_signed(path: str) -> str:
    """Write who signs an address; leave what is on no web server as it is.

    Args:
        path: A file in GDAL's words, or a URL.

    Example:
        >>> to_be_signed("/vsicurl/https://host/B04.tif")
        '/vsicurl/https://host/B04.tif#signed-by=planetary-computer'
        >>> to_be_signed("B04.tif")
        'B04.tif'

    """
    is_web = path.removeprefix(_GDAL).startswith(_WEB)
    return f"{path}{_MARK}" if is_web and not path.endswith(_MARK) else path


def signed(path: str) -> str:
    """Sign an address that says who does; give any other as it is.

    The signer is asked once for all files of a container, and again before its
    signature expires.

    Args:
        path: See `to_be_signed`.

    Raises:
        SceneError: The signer does not answer, or refuses.

    """
    if not path.endswith(_MARK):
        return path
    url = path.removesuffix(_MARK).removeprefix(_GDAL)
    prefix = _GDAL if path.startswith(_GDAL) else ""
    check_signer()
    import requests  # noqa: PLC0415  # with planetary_computer
    from planetary_computer import sign_url  # noqa: PLC0415  # an extra, a second

    about = "the Planetary Computer's signer", "it is asked ten times in all"
    try:
        with _lock, notify_if_long(*about):
            return f"{prefix}{sign_url(url)}"
    except (requests.RequestException, ValueError, TypeError) as error:
        reason = getattr(getattr(error, "response", None), "status_code", None)
        raise SceneError(
            f"the Planetary Computer does not sign addresses "
            f"({f'HTTP {reason}' if reason else type(error).__name__}); try again later"
        ) from error
