"""GDAL's cache of blocks, small for as long as anything of ours reads or writes.

Its size is the process's, and GDAL's default a share of the machine's memory. rasterio
sets it as if it were a thread's: of several threads the first to leave its `Env` brings
back what it had found, and the others' reads fill the cache up to that.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rasterio.env import get_gdal_config, set_gdal_config

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = 64_000_000
"""Its bytes. Blocks of ours are read once: what neighbours share is worth keeping."""
ONCE = 16_000_000
"""The same where so many files are read in turns that no block would wait in it until
it is wanted again."""
_NAME = "GDAL_CACHEMAX"

_inside, _before, _lock = 0, 0, threading.Lock()


@contextmanager
def small_cache(size: int = CACHE) -> Iterator[None]:
    """Hold GDAL's cache small, in all threads, until the last one leaves such a block.

    Where the environment says how large it is, that holds.

    Args:
        size: Its bytes; within another such block those of the first that was entered.

    """
    global _inside, _before  # noqa: PLW0603  # the cache is the process's
    with _lock:
        _inside += 1
        if _inside == 1 and _NAME not in os.environ:
            _before = get_gdal_config(_NAME)
            set_gdal_config(_NAME, size)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _NAME not in os.environ:
                set_gdal_config(_NAME, _before)
