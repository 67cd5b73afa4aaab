"""Arrays that grow with a map: in memory where they are small, in files where not.

A file has no name and goes with its process, however that ends. Its room on the disk is
taken before it is mapped: a full disk is an error there, and never the end of a process
that writes through memory.

What a process has touched of a file is counted as its memory, although the system would
give it back to whoever needs it; and who watches memory (a cluster, a container, a
person) cannot tell. So it is given back now and then while work goes on.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from geoseg.storage.full_disk import disk_error, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

_HELD = 1 << 24
"""Bytes of an array that is held in memory at most, where there is a folder."""
_CHUNK = 1 << 24
"""Bytes of zeros that are written at once, where room cannot be taken otherwise."""
_LOOSE = 1 << 29
"""Bytes of files that may count as this process's memory before they are given back."""
_TICK_S = 0.05
_NAME = "lines of polygons"
"""What messages call the files."""


class Arrays:
    """Makes arrays; those that are large are files in a folder, where one is named."""

    def __init__(self, folder: Path | None = None, held: int = _HELD) -> None:
        """Make arrays in a folder's files, or in memory alone where it is None."""
        self.folder = folder
        self.held = held
        self._mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Make an array of zeros.

        Raises:
            DiskError: The disk has no room for it.

        """
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.folder is None or size <= self.held:
            return np.zeros(shape, dtype)
        with self._file() as file:
            with written(self.folder / _NAME):
                _reserve(file, size)
            return self._map(file, size, dtype).reshape(shape)

    def growing(self, dtype: DTypeLike, columns: int | None = None) -> Growing:
        """Begin an array whose length is not known yet.

        Args:
            dtype: Its type.
            columns: The length of its second axis; None where there is one axis.

        """
        return Growing(self, np.dtype(dtype), columns)

    def trim(self) -> None:
        """Let what is in files no longer count as this process's memory."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in list(self._mapped):
                mapped.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined, unused-ignore]  # of POSIX

    @contextmanager
    def trimmed(self) -> Iterator[None]:
        """Let files not count for much while something goes on.

        What comes after finds them in the system's memory again, if it had room.
        """
        if self.folder is None:
            yield
            return
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()
            self.trim()

    def _watch(self, done: threading.Event) -> None:
        process = psutil.Process()
        least = process.memory_info().rss
        while not done.wait(_TICK_S):
            if process.memory_info().rss > least + _LOOSE:
                self.trim()
                least = process.memory_info().rss

    @contextmanager
    def _file(self) -> Iterator[Any]:
        with tempfile.TemporaryFile(dir=self.folder, buffering=0) as file:
            yield file

    def _map(self, file: Any, size: int, dtype: DTypeLike) -> NDArray[Any]:  # noqa: ANN401  # what tempfile gives
        mapped = mmap.mmap(file.fileno(), size)
        self._mapped.add(mapped)
        return np.frombuffer(mapped, dtype)


class Growing:
    """An array that parts are appended to: a file once it has become large."""

    def __init__(
        self, arrays: Arrays, dtype: np.dtype[Any], columns: int | None
    ) -> None:
        """Begin an array: see `Arrays.growing`."""
        self._arrays, self._dtype, self._columns = arrays, dtype, columns
        self._parts: list[NDArray[Any]] = []
        self._waiting = 0
        self._file: Any = None
        self.count = 0
        """Its length so far."""

    def append(self, values: NDArray[Any]) -> None:
        """Append a part.

        Raises:
            DiskError: The disk has no room for it.

        """
        part = np.ascontiguousarray(values, self._dtype)
        self._parts.append(part)
        self.count += len(part)
        self._waiting += part.nbytes
        if self._arrays.folder is not None and self._waiting > self._arrays.held:
            self._flush()

    def whole(self) -> NDArray[Any]:
        """Give all of it, once: nothing is appended afterwards."""
        shape = (self.count,) if self._columns is None else (self.count, self._columns)
        if self._file is None:
            parts, self._parts = self._parts, []
            empty = np.empty((0, *shape[1:]), self._dtype)
            return np.concatenate([empty, *parts])
        self._flush()
        size = int(np.prod(shape)) * self._dtype.itemsize
        with self._file as file:
            return self._arrays._map(file, size, self._dtype).reshape(shape)  # noqa: SLF001  # of this file

    def _flush(self) -> None:
        folder = self._arrays.folder
        assert folder is not None, "what is held in memory is not flushed"  # noqa: S101
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            for part in self._parts:
                left = part.reshape(-1).view(np.uint8).data
                while left:
                    left = left[self._file.write(left) :]
        except OSError as error:
            raise disk_error(folder / _NAME, error) from error
        self._parts, self._waiting = [], 0


def _reserve(file: Any, size: int) -> None:  # noqa: ANN401  # what tempfile gives
    """Take room on the disk for a file of zeros."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(_CHUNK)
    for start in range(0, size, _CHUNK):
        file.write(zeros[: size - start])
