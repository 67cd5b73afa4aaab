"""Who may write an output: one process at a time, and the next one hears which.

A lock is a hidden file beside a file, or in a folder, that the system frees when its
process ends, however it ends. A note beside it names the process.
"""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from geoseg.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_FOLDER = ".geoseg.lock"
"""The lock of a folder, inside of it."""
_NOTE = ".holder"
LOOKED_AT_S = 0.2
"""Seconds that a lock is waited for: who asks whether it is held has it so briefly."""


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Keep others from writing a file; folders above it are made.

    Raises:
        OutputError: Another process is writing it, or there can be no lock beside it.

    """
    with _locked(path.with_name(f".{path.name}.lock"), path):
        yield


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep others from writing into a folder, made where it does not exist.

    Raises:
        OutputError: Another process is writing there, or there can be no lock in it.

    """
    with _locked(folder / IN_FOLDER, folder):
        yield


@contextmanager
def _locked(file: Path, what: Path) -> Iterator[None]:
    made = [above for above in file.parents if not above.exists()]
    note = file.with_name(f"{file.name}{_NOTE}")
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        note.write_text(_self(), encoding="utf-8")
    except Timeout as error:
        raise OutputError(
            f"{what} is being written by {_holder(note)}; wait for it, or choose "
            f"another output"
        ) from error
    except OSError as error:
        lock.release()
        raise OutputError(
            f"{what} cannot be written ({error.strerror or error}); choose another "
            f"folder"
        ) from error
    try:
        yield
    finally:
        # Removed while it is held: who waits for this very file tries again.
        for path in (note, file):
            with suppress(OSError):
                path.unlink()
        lock.release()
        with suppress(OSError):  # a folder that is not empty holds what was written
            for folder in made:
                folder.rmdir()


def is_held(lock: Path) -> bool | None:
    """Return whether a process has a lock; None where that cannot be seen.

    Whoever may read the file may ask. It is taken for a moment, together with others
    who ask.
    """
    try:
        import fcntl  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False


def _self() -> str:
    user = ""
    with suppress(OSError, KeyError, ImportError):  # a user without a name
        user = f" of {getpass.getuser()}"
    return f"process {os.getpid()}{user} on {socket.gethostname()}"


def _holder(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8")[:200] or "another process"
    except (OSError, UnicodeError):
        return "another process"
