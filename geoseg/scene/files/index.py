"""The headers of many files: read at once, and kept for the next time.

GDAL's tile index (GTI) would do for files that agree in everything; an index of ours
also knows each file's bands, nodata, time and fingerprint, so that what does not fit
together is found before anything is read.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from geoseg.errors import SceneError
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.scene.cache import cache_folder, keep, recall
from geoseg.scene.files.guard import stands_alone
from geoseg.scene.files.header import BandHeader, Header, read_header
from geoseg.scene.files.paths import file_of, folder_of
from geoseg.storage.fingerprint import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_FORMAT = 5
"""Counted up when what is kept changes."""
_WORTH_KEEPING = 16
"""From so many files on, headers are kept."""
_AT_ONCE = 16
"""Files that are opened at once."""
_SHOWN_EVERY = 50
"""Files between two messages."""


def read_headers(
    paths: Sequence[str],
    read: Callable[[str], Header] = read_header,
    on_step: OnStep = ignore_step,
) -> list[Header | SceneError]:
    """Read the headers of many files, at once; what could not be read is an error.

    Headers of files on a disk that have not changed since are taken from the user's
    cache, ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``.

    Args:
        paths: Files in GDAL's words.
        read: What reads one header.
        on_step: Called as files are read, from the calling thread.

    Returns:
        A header or an error for each path, in their order.

    """
    if len(paths) == 1:
        return [_attempt(read, paths[0])]
    kept = _Kept.of(paths)
    found: dict[str, Header | SceneError] = {}
    for path in paths:
        header = kept.headers.get(path)
        if header is not None and _unchanged(header):
            found[path] = header
    missing = [path for path in paths if path not in found]
    found |= _read_all(missing, read, on_step, len(paths))
    if missing and len(paths) >= _WORTH_KEEPING:
        kept.save(h for h in found.values() if isinstance(h, Header))
    return [found[path] for path in paths]


def _read_all(
    paths: Sequence[str],
    read: Callable[[str], Header],
    on_step: OnStep,
    total: int,
) -> dict[str, Header | SceneError]:
    if not paths:
        return {}
    found = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="headers") as pool:
        tasks: dict[Future[Header | SceneError], str] = {
            pool.submit(_attempt, read, path): path for path in paths
        }
        for done, task in enumerate(as_completed(tasks), start=1):
            found[tasks[task]] = task.result()
            if done % _SHOWN_EVERY == 0:
                on_step(Step("index", total - len(paths) + done, total))
    return found


def _attempt(read: Callable[[str], Header], path: str) -> Header | SceneError:
    try:
        return read(path)
    except SceneError as error:
        return error


def _can_be_kept(header: Header) -> bool:
    return stands_alone(header.path, header.driver)


def _unchanged(header: Header) -> bool:
    """Whether a file on a disk has the size and time that it had, and no neighbours."""
    path = file_of(header.path)
    if path is None or not _can_be_kept(header):
        return False
    try:
        status = os.stat(path)  # noqa: PTH116  # ten thousand of them
    except OSError:
        return False
    fingerprint = header.fingerprint
    return (status.st_size, str(status.st_mtime_ns)) == (
        fingerprint.size,
        fingerprint.changed,
    )


class _Kept:
    """The headers that are kept for files of some folders."""

    def __init__(self, path: Path, headers: dict[str, Header]) -> None:
        self.path, self.headers = path, headers

    @classmethod
    def of(cls, paths: Sequence[str]) -> _Kept:
        """Find what is kept; nothing where that is damaged."""
        folders = sorted({folder_of(path) for path in paths})
        name = hashlib.blake2b("\n".join(folders).encode(), digest_size=16).hexdigest()
        path = cache_folder() / "headers" / f"{name}.json"
        try:
            headers = _unpack(recall(path))
        except (ValueError, TypeError, KeyError, IndexError):
            headers = {}
        return cls(path, headers)

    def save(self, headers: Iterable[Header]) -> None:
        """Keep headers, those known before too; do without where that fails."""
        # What refers to other files is looked at each time.
        self.headers |= {h.path: h for h in headers if _can_be_kept(h)}
        keep(self.path, _pack(self.headers.values()))


def _pack(headers: Iterable[Header]) -> dict[str, Any]:
    """Write headers as JSON values; a CRS or a list of bands only once."""
    wkts: dict[str, int] = {}
    bands: dict[tuple[BandHeader, ...], int] = {}
    files = [
        [
            *(
                header.path,
                header.driver,
                header.height,
                header.width,
                header.transform,
            ),
            wkts.setdefault(header.wkt, len(wkts)),
            bands.setdefault(header.bands, len(bands)),
            *(
                header.overviews,
                header.located_by,
                header.acquired,
                astuple(header.fingerprint),
                header.features_version,
            ),
        ]
        for header in headers
    ]
    lists = [[astuple(band) for band in each] for each in bands]
    return {"format": _FORMAT, "wkts": list(wkts), "bands": lists, "files": files}


def _unpack(kept: dict[str, Any]) -> dict[str, Header]:
    if kept["format"] != _FORMAT:
        return {}
    bands = [tuple(BandHeader(*band) for band in each) for each in kept["bands"]]
    found = {}
    for path, driver, height, width, transform, wkt, which, *rest in kept["files"]:
        overviews, located_by, acquired, fingerprint, version = rest
        found[path] = Header(
            path=path,
            driver=driver,
            height=height,
            width=width,
            transform=tuple(transform),
            wkt=kept["wkts"][wkt],
            bands=bands[which],
            overviews=tuple(overviews),
            located_by=located_by,
            acquired=acquired,
            fingerprint=Fingerprint(*fingerprint),
            features_version=version,
        )
    return found
