"""How much memory this process has held, holds, and may still take."""

from __future__ import annotations

import sys

import psutil
from distributed.system import MEMORY_LIMIT


def most_held() -> int:
    """Bytes that this process has held at most since it began."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415  # Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


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
