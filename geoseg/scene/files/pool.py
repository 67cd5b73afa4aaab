"""Open files that lie idle, for whatever thread wants them next.

Two threads cannot use one of GDAL's handles at a time, but one after the other.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from geoseg.scene.files.blocks import block_bytes
from geoseg.storage.full_disk import files_allowed

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rasterio.io import DatasetReader

_SHARE_OF_FILES = 4
"""Of the files that the system lets this process open, one in so many is kept."""
_MOST_KEPT = 1024
"""Files that are kept at most."""
_MOST_BYTES = 256_000_000
"""Memory that they take at most."""
_FOR_FILE, _FOR_TILE = 100_000, 16
"""Bytes that GDAL takes for a file beside the tile that it decoded last, and for
knowing where each of its tiles is."""
_TILE = 512 * 512
"""Pixels of a tile, as a forecast takes them."""


_ON_WINDOWS = 512
"""How many files its C library lets a process open."""

_Key = tuple[int, "Hashable"]
"""A process, and what it knows a file by."""


class DatasetPool:
    """Open files, the latest used last."""

    def __init__(self, most: int | None = None, most_bytes: int = _MOST_BYTES) -> None:
        """Keep so many files at most; as many as the system suffers where None."""
        share = (files_allowed() or _ON_WINDOWS) // _SHARE_OF_FILES
        self._most = most or max(min(share, _MOST_KEPT), 8)
        self._most_bytes = most_bytes
        self._idle: OrderedDict[tuple[int, Hashable], list[DatasetReader]] = (
            OrderedDict()
        )
        self._count = self._bytes = 0
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> DatasetReader | None:
        """Take an open file that is known by a key; None where none lies idle."""
        with self._lock:
            return (
                self._pop(self._known(key)) if self._known(key) in self._idle else None
            )

    def give(self, key: Hashable, dataset: DatasetReader) -> None:
        """Put a file back; close those that were not used for longest."""
        surplus = []
        with self._lock:
            self._idle.setdefault(self._known(key), []).append(dataset)
            self._idle.move_to_end(self._known(key))
            self._count, self._bytes = self._count + 1, self._bytes + weight(dataset)
            while self._count > self._most or self._bytes > self._most_bytes:
                surplus.append(self._pop(next(iter(self._idle))))
        for each in surplus:
            each.close()

    def close(self) -> None:
        """Close the files that lie idle in this process."""
        with self._lock:
            own = [key for key in self._idle if key == self._known(key[1])]
            idle = [self._pop(key) for key in own for _ in self._idle[key].copy()]
        for each in idle:
            each.close()

    def _pop(self, key: _Key) -> DatasetReader:
        datasets = self._idle[key]
        dataset = datasets.pop()
        if not datasets:
            del self._idle[key]
        self._count, self._bytes = self._count - 1, self._bytes - weight(dataset)
        return dataset

    @staticmethod
    def _known(key: Hashable) -> _Key:
        """A process that was forked reads at offsets of its own in a file."""
        return os.getpid(), key


def kept_bytes(files: int, pixel_bytes: int) -> int:
    """Forecast the bytes of open files that are kept.

    Args:
        files: How many are opened, each as often as threads read it at once.
        pixel_bytes: What a pixel of all of a file's bands takes.

    """
    return min(files * (_FOR_FILE + _TILE * pixel_bytes), _MOST_BYTES)


def weight(dataset: DatasetReader) -> int:
    """Reckon the bytes that GDAL holds of an open file beside its cache of blocks."""
    height, width = dataset.block_shapes[0]
    tiles = -(-dataset.height // height) * -(-dataset.width // width)
    for_tiles = _FOR_TILE * int(tiles) * int(dataset.count)
    return _FOR_FILE + block_bytes(dataset) + for_tiles
