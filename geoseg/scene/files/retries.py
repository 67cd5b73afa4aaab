"""Reads from a network that failed, tried again.

GDAL asks again where a server says that it is busy, and not where an answer breaks off:
it decodes what came.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import rasterio

from geoseg.errors import SceneError
from geoseg.scene.files.datasets import GDAL_ERRORS, opened_once, waited_for
from geoseg.scene.files.servers import check_answers
from geoseg.storage.remote import as_url
from geoseg.storage.signing import signed
from geoseg.storage.timeouts import was_silent
from geoseg.storage.waiting import notify

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSES_S = 0.3, 2.0
"""Seconds before each time."""
_QUICK_S = 5.0
"""A read that took longer to fail has been tried again by GDAL."""

Read = TypeVar("Read")


def again(path: str, driver: str, read: Callable[[], Read]) -> Read:
    """Read from a network, and again where that fails at once.

    Args:
        path: The file in GDAL's words.
        driver: The driver of GDAL that opens it.
        read: What reads it.

    Raises:
        SceneError: It failed three times, or slowly; or its server was silent a moment
            ago, and is still.

    """
    url = as_url(path)
    if url is not None and was_silent(url):
        check_answers(path)  # GDAL would be patient with it again
    for pause in _PAUSES_S:
        began = time.monotonic()
        try:
            with waited_for(path):
                return read()
        except SceneError as error:
            if time.monotonic() - began > _QUICK_S:
                raise
            notify(f"{error}; it is read again in {pause:g} s, three times in all")
        time.sleep(pause)
        _forget(path, driver)
    with waited_for(path):
        return read()


def _forget(path: str, driver: str) -> None:
    """Let GDAL forget what it has of a file: it keeps what broke off, too."""
    with (
        rasterio.Env(CPL_VSIL_CURL_NON_CACHED=signed(path)),
        suppress(*GDAL_ERRORS, SceneError),  # reading it says so
        opened_once(path, [driver]),
    ):
        return
