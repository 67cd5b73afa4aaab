"""Drivers of GDAL that somebody allowed beside those of the two doors.

By itself geoseg opens formats whose files hold their own pixels or features. Others are
for whoever hands a file in to allow, for all that a job opens: scenes, maps, labels and
areas come through other hands, and the word of one person counts for them all.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from geoseg.errors import InputError, brief

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = Lock()
_allowed: list[frozenset[str]] = []


@contextmanager
def allow_drivers(*names: str) -> Iterator[None]:
    """Let drivers of GDAL open files that geoseg refuses by itself.

    Their files may name others, which are looked at once such a file is open: they
    must lie in folders that were named. It counts in all threads of this process. What
    stands for other files or for a service from its first bytes on, as VRTs do, is not
    opened by this.

    Args:
        names: What GDAL calls the drivers, such as ``ISIS3`` or ``PDS4``.

    Raises:
        InputError: GDAL here has no driver of such a name.

    Example:
        >>> with allow_drivers("isis3"):
        ...     "ISIS3" in allowed_drivers()
        True

    """
    chosen = frozenset(map(_known, names))
    with _lock:
        _allowed.append(chosen)
    try:
        yield
    finally:
        with _lock:
            _allowed.remove(chosen)


def allowed_drivers() -> frozenset[str]:
    """Name the drivers that are allowed now."""
    with _lock:
        return frozenset().union(*_allowed)


def _known(name: str) -> str:
    found = _drivers().get(name.casefold())
    if found is None:
        raise InputError(
            f"GDAL here has no driver {brief(name)}; `driver` takes its short names, "
            f"such as ISIS3 or PDS4, which its documentation lists"
        )
    return found


@cache
def _drivers() -> dict[str, str]:
    """Give GDAL's names of its drivers by themselves in small letters."""
    import pyogrio  # noqa: PLC0415  # whoever allows none needs neither
    import rasterio  # noqa: PLC0415  # the same

    with rasterio.Env() as env:
        names = {*env.drivers(), *pyogrio.list_drivers()}
    return {name.casefold(): name for name in names}
