"""What is said of a disk that cannot be written: which, whether it is full.

Libraries report it in words of their own, or not at all: "Cannot write feature". So the
disk itself is asked.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import DiskError, GeosegError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("no space left", "disk is full", "disk full", "quota exceeded")
"""How libraries write it."""
_SCARCE = 1_000_000_000
"""Bytes left below which a disk is what kept a library from writing that does not say
why. Many have cleared by then what they wrote."""
IS_FULL = "is full"
"""What every sentence of a full disk says."""
_SHORT_PATHS = sys.platform == "win32"
"""Whether a path may be too long that other systems take."""
_LONGEST_PATH = 259
"""Characters of a path that Windows takes unless it is told to take more."""
_BELOW = 60
"""Characters that unfinished work adds to the path of an output."""
_AGAIN = "run the same command again"


def disk_error(
    target: Path, error: BaseException, *, workshop: Path | None = None, then: str = ""
) -> DiskError:
    """Make the error for something that could not be written.

    Args:
        target: What was to be written.
        error: What went wrong.
        workshop: The folder in which it was made, so far.
        then: What running the command again does, where that is more than to repeat.

    Example:
        >>> from pathlib import Path
        >>> error = disk_error(Path("/map.tif"), OSError(28, "No space left"))
        >>> str(error)[:56]
        'cannot write /map.tif: the disk / is full, more is neede'

    """
    folder = existing(target)
    full, mount = is_full(folder, error), _mount(folder)
    made = held(workshop) if full and workshop else 0
    free = size_text(shutil.disk_usage(folder).free + made)
    if full:
        what = f": the disk {mount} {IS_FULL}, more is needed than the {free} that are"
        return DiskError(
            f"cannot write {target}{what} free there; make room and {_AGAIN}{then}"
        )
    reason = getattr(error, "strerror", None) or str(error).strip() or repr(error)
    reason += _handles(error) + of_length(target)
    reason = reason.replace(f"{workshop}{os.sep}", "")
    return DiskError(
        f"cannot write {target} ({reason}; {free} of the disk {mount} are free); make "
        f"room or access there and {_AGAIN}{then}"
    )


@contextmanager
def written(target: Path, workshop: Path | None = None) -> Iterator[None]:
    """Say in a sentence why something cannot be written, whatever library found out.

    Args:
        target: What is written.
        workshop: The folder in which it is made.

    Raises:
        DiskError: Something inside this block could not write.

    """
    try:
        yield
    except GeosegError:  # some are OSErrors as well, and say it better
        raise
    except OSError as error:
        raise disk_error(target, error, workshop=workshop) from error
    except Exception as error:  # torch, safetensors, GDAL and SQLite have their own
        if not is_full(target, error):
            raise
        raise disk_error(target, error, workshop=workshop) from error


@contextmanager
def needing(what: str, size: Callable[[], int]) -> Iterator[None]:
    """Say how much something takes in all where a disk is full inside this block.

    Args:
        what: What is written, as the subject of a sentence in the singular.
        size: Gives the bytes of it, at most; asked for where a disk is full alone.

    Raises:
        DiskError: It is.

    Example:
        >>> with needing("the map", lambda: 4_000_000):
        ...     raise DiskError("the disk / is full; make room")
        Traceback (most recent call last):
        geoseg.errors.DiskError: the disk / is full; make room; the map takes 4.0 MB ...

    """
    try:
        yield
    except DiskError as error:
        if IS_FULL not in str(error):
            raise
        raise DiskError(f"{error}; {what} takes {size_text(size())} at most") from error


def cannot_read(path: Path, error: OSError) -> DiskError:
    """Make the error for a file of ours that is there and cannot be read."""
    return DiskError(
        f"{path} cannot be read ({error.strerror or error}){_handles(error)}; run the "
        f"same command again when it can be"
    )


def _handles(error: BaseException) -> str:
    """Say how many files may be open, where there are too many."""
    if getattr(error, "errno", None) not in {errno.EMFILE, errno.ENFILE}:
        return ""
    allowed = files_allowed()
    if allowed is None:
        return ""
    return f": this process may have {allowed:,} files open; allow more with ulimit -n"


def files_allowed() -> int | None:
    """Return how many files this process may have open; None where none can say."""
    try:
        import resource  # noqa: PLC0415  # Windows has none
    except ImportError:
        return None
    which = resource.RLIMIT_NOFILE  # type: ignore[attr-defined, unused-ignore]  # of POSIX
    return int(resource.getrlimit(which)[0])  # type: ignore[attr-defined, unused-ignore]  # of POSIX


def of_length(path: Path) -> str:
    """Say how long a path is, where Windows may take none of that length."""
    length = len(str(path.absolute()))
    if not _SHORT_PATHS or length + _BELOW < _LONGEST_PATH:
        return ""
    return (
        f"; its path has {length} characters, and with what is written below it "
        f"Windows takes {_LONGEST_PATH} unless LongPathsEnabled is set"
    )


def is_full(path: Path, error: BaseException) -> bool:
    """Return whether something could not be written because its disk is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    words = str(error).lower()
    if any(each in words for each in _WORDS):
        return True
    return shutil.disk_usage(existing(path)).free < _SCARCE


def existing(path: Path) -> Path:
    """Give a path, or the nearest folder above it that is there."""
    return next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())


def _mount(folder: Path) -> Path:
    """Name a disk by the folder where it begins."""
    here = folder.resolve()
    return next(p for p in (here, *here.parents) if os.path.ismount(p))


def held(folder: Path) -> int:
    """Count the bytes of a folder's files, some of which may go meanwhile."""
    count = 0
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                count += Path(above, name).stat().st_size
    return count


def size_text(count: int) -> str:
    """Write a number of bytes."""
    return f"{count / 1e9:,.1f} GB" if count >= 10**9 else f"{count / 1e6:,.1f} MB"
