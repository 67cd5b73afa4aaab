"""Open files with GDAL: seldom, under settings of ours, with words of ours.

Opening a file takes as long as reading some tiles of it. So those that were read last
are kept open. What is kept is known by the file's size and time too: a file that was
changed is opened anew.
"""

from __future__ import annotations

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import rasterio
from rasterio._err import CPLE_BaseError  # rasterio lets some of them through
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from geoseg.errors import SceneError
from geoseg.scene.files.pool import DatasetPool
from geoseg.scene.files.redirects import in_words, stay_with
from geoseg.scene.files.sidecars import OF_PIXELS
from geoseg.storage.gdal_cache import small_cache
from geoseg.storage.raster_references import is_safe
from geoseg.storage.remote import gdal_settings, without_secrets
from geoseg.storage.renames import ask_to_close
from geoseg.storage.signing import signed
from geoseg.storage.waiting import notify_if_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from geoseg.storage.fingerprint import Fingerprint

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What a damaged file can make rasterio raise."""

_SETTINGS = {
    # Files are data: no Python in a VRT, whatever the environment says.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # Ask for each file that may stand beside one, by the names that were looked at,
    # instead of listing the whole folder.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    # Read where a file's tiles are when it is opened. Later, where that cannot be read
    # because a server or a disk fails, GDAL takes tiles for missing: nodata, no error.
    "GTIFF_USE_DEFER_STRILE_LOADING": "NO",
    # What opens one server is not shown to another.
    "CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT": "IF_SAME_HOST",
}
_DEFAULTS = {
    # A COG's header in one request; whole runs of tiles in one request each, at once.
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_VERSION": "2",
    "GDAL_HTTP_MULTIPLEX": "YES",
    # A server that hiccups is asked again; one that is silent is given up.
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "0.3",
    "GDAL_HTTP_CONNECTTIMEOUT": "15",
    "GDAL_HTTP_TIMEOUT": "60",
    # Ten seconds below a kilobyte a second are silence; with retries, a minute.
    "GDAL_HTTP_LOW_SPEED_TIME": "10",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",
}
"""Settings that the environment's own go before."""

_REMOTE = {
    # Read nothing beside an object: what it is could not be seen beforehand.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}
_OVERVIEWS = "OVERVIEWS"
"""The domain of metadata that can name any file at all as a raster's overviews. GDAL
opens it once somebody asks for them, and no sooner."""
_LEAN = {"GTiff": {"GEOREF_SOURCES": "NONE"}}
"""How drivers open a file faster whose header is known: looking up its CRS in PROJ's
database is most of it."""

_CONNECTIONS = 8
"""Files of a network that are read at once for a window."""

_pool = DatasetPool()
ask_to_close(_pool.close)

Item = TypeVar("Item")
Made = TypeVar("Made")


class _Thread(threading.local):
    """What a thread of this process has done."""

    is_settled = False
    """Whether our settings hold in it."""


_thread = _Thread()


@contextmanager
def our_settings() -> Iterator[None]:
    """Let our settings hold in this thread inside this block.

    Inside of another such block it costs nothing; else as much as reading a tile.
    """
    if _thread.is_settled:
        yield
        return
    with small_cache(), rasterio.Env(**_defaults(), **gdal_settings()):
        _thread.is_settled = True
        try:
            yield
        finally:
            _thread.is_settled = False


@contextmanager
def opened(
    path: str, driver: str, fingerprint: Fingerprint | None = None
) -> Iterator[DatasetReader]:
    """Give a file's dataset, to be used inside this block only; without its path.

    Args:
        path: A file in GDAL's words: a path, or a name in a virtual file system.
        driver: The driver of GDAL that opened it first.
        fingerprint: The file as it was when its header was read, where that is known:
            one that is kept open belongs to it.

    Raises:
        RasterioIOError: It cannot be opened.

    """
    # Anew where pixels beside it have changed, which GDAL keeps with its own.
    # With its signature, where it has one: what that opened goes when it expires.
    source = signed(path)
    key = source, driver, fingerprint, *(_state(path + end) for end in ("", *OF_PIXELS))
    with our_settings(), _within_reach(path, [driver]):
        dataset = _pool.take(key)
        if dataset is None:
            dataset = _open(source, [driver], **_LEAN.get(driver, {}))
        try:
            yield dataset
        except BaseException:
            dataset.close()  # what failed once is opened anew
            raise
        _pool.give(key, dataset)


@contextmanager
def opened_once(
    path: str, drivers: Sequence[str] | None = None
) -> Iterator[DatasetReader]:
    """Give a file's dataset and close it at the end of this block.

    Args:
        path: See `opened`.
        drivers: The drivers of GDAL that may open it; any where None.

    Raises:
        RasterioIOError: It cannot be opened.

    """
    with (
        our_settings(),
        _within_reach(path, drivers),
        _open(signed(path), drivers) as dataset,
    ):
        yield dataset


def _within_reach(
    path: str, drivers: Sequence[str] | None
) -> AbstractContextManager[object]:
    """Keep GDAL with the servers that were named, but where others were allowed.

    Only then is a file of a server opened by any driver, or by one whose files name
    others.
    """
    if drivers is None or not all(map(is_safe, drivers)):
        return nullcontext()
    limits = stay_with(path)
    return rasterio.Env(**limits) if limits else nullcontext()


def is_remote(path: str) -> bool:
    """Return whether GDAL reads a path through a network."""
    return path.startswith("/vsi") and not path.startswith(_LOCAL_SYSTEMS)


def waited_for(path: str) -> AbstractContextManager[None]:
    """Say that GDAL waits long for a server, which it asks again by itself.

    Of a path on this disk nothing is said.
    """
    if not is_remote(path):
        return nullcontext()
    return notify_if_long(without_secrets(path), "it is given up within a minute")


def at_once(
    work: Callable[[Item], Made], items: Sequence[Item], *, remote: bool
) -> list[Made]:
    """Do what `map` does: all together where that is waiting for a network.

    Raises:
        Exception: What `work` raises of the first item for which it does.

    """
    if not remote or len(items) < 2:  # noqa: PLR2004  # one waits for nobody
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(len(items), _CONNECTIONS)) as threads:
        return list(threads.map(work, items))


_LOCAL_SYSTEMS = (
    "/vsizip/",
    "/vsitar/",
    "/vsigzip/",
    "/vsi7z/",
    "/vsirar/",
    "/vsimem/",
)


def reason(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps in the cause of its error."""
    return in_words(str(error.__cause__ or error).strip().rstrip("."))


def _open(
    path: str, drivers: Sequence[str] | None = None, **options: str
) -> DatasetReader:
    # rasterio.open takes one driver only.
    chosen = {} if drivers is None else {"driver": list(drivers)}
    with _quietly, rasterio.Env(**_REMOTE) if is_remote(path) else nullcontext():
        dataset = DatasetReader(path, **chosen, **options)
    if dataset.tags(ns=_OVERVIEWS):
        dataset.close()
        raise SceneError(
            f"{without_secrets(path)} says that its overviews are another file "
            f"({_OVERVIEWS} in its metadata or in its .aux.xml), which geoseg does not "
            f"read for it; write the file again, for instance with gdal_translate "
            f"-nomd, or take its .aux.xml away"
        )
    return dataset


class _Quietly:
    """Hear nothing of rasters without georeferencing.

    They are refused elsewhere, in one sentence. What Python has for it would bring the
    warnings back, for good or too soon, where threads leave in another order.
    """

    def __init__(self) -> None:
        self._inside, self._lock = 0, threading.Lock()
        self._kept = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._kept.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", NotGeoreferencedWarning)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._kept.close()


_quietly = _Quietly()


def _state(path: str) -> tuple[int, int]:
    """What shows that a file on a disk was changed."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a path object costs as much again
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@cache
def _defaults() -> dict[str, str]:
    return {k: v for k, v in _DEFAULTS.items() if k not in os.environ} | _SETTINGS
