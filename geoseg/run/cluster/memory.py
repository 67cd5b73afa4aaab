"""How much memory this process has held, holds, may still take, and keeps."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
from distributed.system import MEMORY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

_IS_GLIBC = platform.libc_ver()[0] == "glibc"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h."""
_FIRST, _RAISED = 128 * 1024, 32 * 1024 * 1024
"""From which size on glibc maps a block, in bytes: at first, and at most."""
_LARGE = 1024 * 1024
"""From which size on arrays are given back: below it they come and go too often."""
_TRIM = "MALLOC_TRIM_THRESHOLD_"
"""Where dask's nanny says how many free bytes a worker keeps."""


def most_held() -> int:
    """Bytes that this process has held at most since it began."""
    if sys.platform == "win32":
        held = int(psutil.Process().memory_info().peak_wset)
    else:
        import resource  # noqa: PLC0415  # Windows has none

        unit = 1 if sys.platform == "darwin" else 1024
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return held


def now_held() -> int:
    """Bytes that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def still_free() -> int:
    """Bytes that this process may still take.

    The machine's, or what a container or a limit leaves of it: psutil knows the
    first, dask also the others.
    """
    available = int(psutil.virtual_memory().available)
    return min(available, int(MEMORY_LIMIT) - now_held())


@contextmanager
def large_arrays_given_back() -> Iterator[None]:
    """Have the system get back what large arrays free, at once, inside this block.

    What files are written from comes in parts of 10 to 20 MB, in several threads: kept
    for the next ones, they left 280 MB of a composite's heap free and not given back.
    """
    if not _IS_GLIBC:
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
    libc.malloc_trim(0)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_THRESHOLD, _RAISED)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * _RAISED)


def hold_freed_memory(*, hold: bool) -> None:
    """Have glibc keep what large arrays free for the next ones, or no more.

    dask's nanny starts workers with a fixed threshold for giving memory back. That ends
    what glibc does by itself, raising its thresholds as blocks are freed: every tensor
    above 128 KiB is mapped, faulted in and unmapped anew, at twice the CPU time. A run
    sets what glibc would have raised them to, and leaves them as they were.

    Args:
        hold: Whether to keep it; else as the environment says.

    """
    trim = os.environ.get(_TRIM)
    if not trim or not _IS_GLIBC:
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_THRESHOLD, _RAISED if hold else _FIRST)
    mallopt(_M_TRIM_THRESHOLD, 2 * _RAISED if hold else int(trim))
