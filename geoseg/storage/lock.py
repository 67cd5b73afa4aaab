"""Who may write an output: one process at a time, and the next one hears which.

A lock is a hidden file beside a file, or in a folder, that the system frees when its
process ends, however it ends. A note beside it names the process. Who writes in a
folder takes away what is left of locks whose processes have ended.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

from geoseg.errors import BusyError, OutputError
from geoseg.storage.full_disk import of_length
from geoseg.storage.staging import bring_back
from geoseg.storage.waiting import notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_FOLDER = ".geoseg.lock"
"""The lock of a folder, inside of it."""
_NOTE = ".holder"
LOOKED_AT_S = 0.2
"""Seconds that a lock is waited for: who asks whether it is held has it so briefly."""
_LARGEST_PROCESS = 2**31 - 1
"""What a system counts its processes to at most; who says more is damaged."""
_PROCESS = re.compile(r"process (?P<number>\d+)(?: of .*)? on (?P<host>\S+)")


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Keep others from writing a file; folders above it are made.

    What a kill left of it set aside is in place again.

    Raises:
        OutputError: Another process is writing it, or there can be no lock beside it.

    """
    with _locked(path.with_name(f".{path.name}.lock"), path):
        bring_back(path)
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
    note = _note_of(file)
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        _sweep(file.parent)
        _say_who_was_there(what, note)
        note.unlink(missing_ok=True)  # another user's cannot be written, but replaced
        note.write_text(_self(), encoding="utf-8")
    except Timeout as error:
        raise BusyError(
            f"{what} is being written by {_holder(note)}; wait for it, or choose "
            f"another output"
        ) from error
    except PermissionError as error:
        lock.release()
        raise OutputError(_not_ours(what, file)) from error
    except OSError as error:
        lock.release()
        raise OutputError(
            f"{what} cannot be written ({error.strerror or error}{of_length(what)}); "
            f"choose another folder"
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
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # type: ignore[attr-defined, unused-ignore]  # of POSIX
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False


def _note_of(file: Path) -> Path:
    return file.with_name(f"{file.name}{_NOTE}")


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


def _say_who_was_there(what: Path, note: Path) -> None:
    """Say that a process of another machine has left a note and no lock.

    It has ended without a word; or the disk is shared in a way that shows no locks of
    other machines, and two write.
    """
    before = _holder(note) if note.exists() else ""
    if before and not before.endswith(f" on {socket.gethostname()}"):
        notify(
            f"{what} was left unfinished by {before}; where that still runs, stop one "
            f"of the two: this disk shows no locks of other machines"
        )


def _not_ours(what: Path, file: Path) -> str:
    """Say why there can be no lock: the folder, or what another user left there."""
    if not file.exists():
        return f"{what} cannot be written (Permission denied); choose another folder"
    return (
        f"{what} is being written by {_holder(_note_of(file))}, or was when that "
        f"ended; its lock is another user's: wait, let them remove {file}, or choose "
        f"another output"
    )


def _sweep(folder: Path) -> None:
    """Take away locks that processes of this machine left which have ended."""
    for note in folder.glob(f".*.lock{_NOTE}"):
        file = note.with_name(note.name.removesuffix(_NOTE))
        if not _has_ended(_holder(note)):
            continue
        with suppress(Timeout, OSError), FileLock(file, timeout=0):
            for path in (note, file):
                path.unlink(missing_ok=True)


def _has_ended(holder: str) -> bool:
    """Return whether a process is known to have ended."""
    match = _PROCESS.fullmatch(holder)
    if match is None or match["host"] != socket.gethostname():
        return False
    number = int(match["number"])
    return number > _LARGEST_PROCESS or not psutil.pid_exists(number)
