"""Open files with GDAL: once a thread, under settings of ours, with words of ours.

GDAL's handles can be shared neither between threads nor between processes, and
opening a file takes as long as reading some tiles of it. So each thread keeps the
files that it read last. What is kept is known by the file's size and time too: a
file that was changed is opened anew.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import rasterio
from rasterio._err import CPLE_BaseError  # rasterio lets some of them through
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What a damaged file can make rasterio raise."""
_KEPT = 96
"""Files that a thread keeps open."""

_SETTINGS = {
    # Files are data: no Python in a VRT, whatever the environment says.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
_DEFAULTS: dict[str, str | int] = {
    # Ask for each file that may stand beside one, instead of listing the whole folder.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    # Blocks of ours are read once: what neighbours share is all that is worth keeping.
    "GDAL_CACHEMAX": 64_000_000,
    # A COG's header in one request; whole runs of tiles in one request each, at once.
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_VERSION": "2",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "16000000",
    # A server that hiccups is asked again; one that is silent is given up.
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "0.3",
    "GDAL_HTTP_CONNECTTIMEOUT": "15",
    "GDAL_HTTP_TIMEOUT": "60",
}
"""Settings that the environment's own go before."""

_REMOTE = {
    # Do not list a bucket to look for files beside one.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}


class _Shelf(threading.local):
    """The files that one thread keeps open, the latest used last."""

    def __init__(self) -> None:
        self.open: OrderedDict[tuple[object, ...], DatasetReader] = OrderedDict()


_shelf = _Shelf()


@contextmanager
def opened(place: str, driver: str) -> Iterator[DatasetReader]:
    """Give a file's dataset, to be used in this thread inside this block only.

    Args:
        place: A file in GDAL's words: a path, or a name in a virtual file system.
        driver: The driver of GDAL that opened it first.

    Raises:
        RasterioIOError: It cannot be opened.

    """
    key = place, *_state(place)
    with _settings(place):
        dataset = _shelf.open.pop(key, None)
        if dataset is None:
            dataset = _open(place, [driver])
        try:
            yield dataset
        except BaseException:
            dataset.close()  # what failed once is opened anew
            raise
        _shelf.open[key] = dataset
        while len(_shelf.open) > _KEPT:
            _, oldest = _shelf.open.popitem(last=False)
            oldest.close()


@contextmanager
def opened_once(
    place: str, drivers: Sequence[str] | None = None
) -> Iterator[DatasetReader]:
    """Give a file's dataset and close it at the end of this block.

    Args:
        place: See `opened`.
        drivers: The drivers of GDAL that may open it; any where None.

    Raises:
        RasterioIOError: It cannot be opened.

    """
    with _settings(place), _open(place, drivers) as dataset:
        yield dataset


def is_remote(place: str) -> bool:
    """Tell whether GDAL reads a place through a network."""
    return place.startswith("/vsi") and not place.startswith(_LOCAL_SYSTEMS)


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
    return str(error.__cause__ or error).strip().rstrip(".")


def _open(place: str, drivers: Sequence[str] | None = None) -> DatasetReader:
    with warnings.catch_warnings():
        # A raster without georeferencing is refused elsewhere, in one sentence.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # rasterio.open takes one driver only.
        chosen = {} if drivers is None else {"driver": list(drivers)}
        return DatasetReader(place, **chosen)


def _state(place: str) -> tuple[int, int]:
    """What shows that a file on a disk was changed."""
    try:
        status = os.stat(place)  # noqa: PTH116  # a path object costs as much again
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


@cache
def _defaults(*, remote: bool) -> dict[str, str | int]:
    known = {**_DEFAULTS, **(_REMOTE if remote else {})}
    return {k: v for k, v in known.items() if k not in os.environ} | _SETTINGS


def _settings(place: str) -> rasterio.Env:
    return rasterio.Env(**_defaults(remote=is_remote(place)))
