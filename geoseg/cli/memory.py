"""What is said where memory ran out, and what takes less."""

from __future__ import annotations

import errno

_WORDS = (
    "bad_alloc",
    "not enough memory",
    "can't allocate",
    "cannot allocate memory",
    "failed to map segment",
)
"""How libraries say it."""


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it came from, is that memory ran out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or getattr(cause, "errno", 0) == errno.ENOMEM:
            return True
        if any(words in str(cause).lower() for words in _WORDS):
            return True
        cause = cause.__cause__
    return False


def no_memory() -> str:
    """Say what to do about it."""
    return (
        "memory ran out, of this machine or by a limit (ulimit -v, a batch system's); "
        "geoseg plan says what a map needs. A smaller --block or --batch and fewer "
        "--workers take less, and for polygons --min-area; what is finished is kept"
    )
