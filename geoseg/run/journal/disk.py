"""A run directory on a disk.

Each file is written under another name and renamed, and counts only once the journal,
a file of lines, names it. No two have one name, whatever task wrote them. So whatever
instant a run is killed at, what the journal lists is whole. Nothing is forced to the
disk: after a power cut a file may lack its content in spite of its line, and its
checksum says so when the run is resumed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from geoseg.errors import DiskError, OutputError, ResumeError, RunError
from geoseg.run.journal.store import (
    IDENTITY,
    STATE,
    WRITTEN,
    Names,
    Receipt,
    Seen,
    pack,
    span,
    unpack,
)
from geoseg.storage.full_disk import cannot_read, disk_error
from geoseg.storage.lock import LOOKED_AT_S, is_held
from geoseg.storage.renames import rename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from io import FileIO

_JOURNAL, _LOCK = "journal.jsonl", "geoseg.storage.lock"
_UNFINISHED = ".tmp"
"""How the names of files end that are being written."""
_process, _number = secrets.token_hex(8), count()
"""They make the names of unfinished files unique, on a shared disk, too."""


@dataclass(frozen=True, slots=True)
class DiskStore:
    """The files of a run directory on a disk that all processes share."""

    directory: Path
    """Where the files are."""

    def check(self) -> None:
        """Prove that this process sees the run directory and can write it."""
        if not (self.directory / IDENTITY).exists():
            raise OutputError(
                f"the run directory {self.directory} is not there; workers need a "
                f"disk that they share with the client"
            )
        self.remove(receipt.file for receipt in self.write({"check": b""}))

    def write(self, contents: Mapping[str, bytes]) -> tuple[Receipt, ...]:
        """Write things by name into a new file, whole or not at all."""
        data, receipts = pack(contents)
        self.put(receipts[0].file, data)
        return receipts

    def put(self, name: str, data: bytes) -> None:
        """Write a file, in place of one of that name, whole or not at all."""
        target = self.directory / name
        temporary = f"{target}.{_process}-{next(_number)}{_UNFINISHED}"
        try:
            create_file(temporary, data)
            rename(temporary, target)
        except OSError as error:
            with suppress(OSError):
                Path(temporary).unlink()
            raise _trouble(target, error) from error

    def read(self, receipts: Sequence[Receipt]) -> list[bytes]:
        """Read things of one file back, at once, and check each."""
        path = self.directory / receipts[0].file
        try:
            data = _read(path, *span(receipts))
        except OSError as error:
            raise cannot_read(path, error) from error
        if data is None:
            raise RunError(
                f"{path} is gone; run the same command again: what is missing is "
                f"computed anew"
            )
        return unpack(str(path), data, receipts)

    def survey(self) -> Callable[[Receipt], bool]:
        """Give what says of a thing whether it is there and is what was written."""
        return self.holds

    def holds(self, receipt: Receipt) -> bool:
        """Return whether a thing is there and is what was written."""
        try:
            self.read([receipt])
        except DiskError:  # it may be there
            raise
        except RunError:
            return False
        return True

    def remove(self, files: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""
        for name in files:
            path = self.directory / name
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _trouble(path, error) from error

    def sweep(self, used: Names) -> None:
        """Remove what tasks left that a kill kept from being noted: all but these."""
        for path in self.directory.iterdir():
            if WRITTEN.fullmatch(path.name) and path.name not in used:
                with suppress(OSError):  # what lies in nobody's way ends no run
                    _take_away(path)


class DiskLog:
    """The journal of a run directory on a disk: a file of lines, and a lock."""

    def __init__(self, directory: Path) -> None:
        """Take a run directory, made where it does not exist.

        Raises:
            OutputError: It cannot be written, or holds what no run has put there.
            ResumeError: A live process is using it.

        """
        self.store = DiskStore(directory)
        self._directory, self._path = directory, directory / _JOURNAL
        self._file: FileIO | None = None
        self._lock = FileLock(directory / _LOCK)
        try:
            self._made = [p for p in directory.parents if not p.exists()]
            directory.mkdir(parents=True, exist_ok=True)
            _refuse_others(directory)
            self._lock.acquire(timeout=LOOKED_AT_S)
            for leftover in directory.glob(f"*{_UNFINISHED}"):  # of one that died
                _take_away(leftover)
            self._cut_off_rest()
        except Timeout as error:
            raise ResumeError(
                f"{directory} is in use by a running process; wait for it or choose "
                f"another output directory"
            ) from error
        except OutputError:
            raise
        except OSError as error:
            self._lock.release()
            raise OutputError(_refused(directory, error)) from error

    @property
    def directory(self) -> str:
        """Where the run directory is."""
        return str(self._directory)

    def identity(self) -> bytes | None:
        """What says whose run it is."""
        if self._path.exists() and not self._path.is_file():
            raise ResumeError(
                f"{self._path} is where the journal of an unfinished run belongs, and "
                f"is no file; use `restart` to begin again"
            )
        return read_identity(self._directory)

    def sign(self, identity: bytes) -> None:
        """Throw away what there is, and say whose run it is from now on."""
        self._close()
        # What says so goes first: without it, nothing counts of what a kill leaves.
        _take_away(self._directory / IDENTITY)
        for path in self._directory.iterdir():
            if path.name != _LOCK:
                _take_away(path)
        self.store.put(IDENTITY, identity)

    def lines(self) -> Iterator[bytes]:
        """Give the journal's lines, oldest first."""
        if self._path.exists():
            with self._path.open("rb") as file:
                yield from file

    def append(self, lines: Iterable[str]) -> None:
        """Add lines, in one write."""
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise _trouble(self._path, error) from error

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines, by a rename."""
        self._close()
        temporary = self._path.with_name(f"{_JOURNAL}{_UNFINISHED}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
            rename(temporary, self._path)
        except OSError as error:
            raise _trouble(self._path, error) from error

    def report(self, state: bytes) -> None:
        """Say how the run is, to whoever looks at its directory."""
        self.store.put(STATE, state)

    def release(self) -> None:
        """Let others have the run directory."""
        self._close()
        self._lock.release()

    def discard(self) -> None:
        """Remove the run directory, let go of it, and leave no empty folder."""
        self.release()
        shutil.rmtree(self._directory)
        with suppress(OSError):  # one that is not empty: it holds products
            for folder in self._made:
                folder.rmdir()

    def _cut_off_rest(self) -> None:
        """Cut off a last line that a kill cut short."""
        if self._path.is_file():
            with self._path.open("rb+") as file:
                whole = sum(len(line) for line in file if line.endswith(b"\n"))
                file.truncate(whole)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _refuse_others(directory: Path) -> None:
    """Refuse to take a directory, and in the end remove it, that is no run's."""
    found = {path.name for path in directory.iterdir()}
    if found and not found & {_LOCK, IDENTITY}:
        raise OutputError(
            f"{directory} holds files that are no run's, such as {min(found)}; a run "
            f"directory begins empty, and is removed at the end"
        )


def create_file(path: str, data: bytes) -> None:
    """Make a file, in as few calls of the system as there can be."""
    as_it_is = getattr(os, "O_BINARY", 0)  # Windows would write each \n as \r\n
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | as_it_is, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def _read(path: Path, start: int, stop: int) -> bytes | None:
    """Read some bytes of a file: of one that is too short none, of none None.

    A FIFO is no file: nobody waits for what comes out of it.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if stop > os.fstat(file.fileno()).st_size:
                return b""
            file.seek(start)
            return file.read(stop - start)
    except FileNotFoundError:
        return None


def read_identity(directory: Path) -> bytes | None:
    """Read whose run a directory holds; None where none is.

    Raises:
        OutputError: Its owner keeps it from being read.
        ResumeError: A folder or something else is there instead.

    """
    path = directory / IDENTITY
    try:
        if path.exists() and not path.is_file():
            raise ResumeError(
                f"{path} is where an unfinished run says what it is of, and is no "
                f"file; use `restart` to begin again"
            )
        return path.read_bytes() if path.exists() else None
    except OSError as error:
        raise OutputError(_refused(directory, error)) from error


def look(directory: Path) -> Seen | None:
    """See how the run in a directory is, without taking it; None where none is.

    Raises:
        OutputError: Its owner keeps it from being read.
        ResumeError: A folder or something else is where its files belong.

    """
    identity = read_identity(directory)
    if identity is None:
        return None
    return Seen(
        identity,
        state=_content(directory, directory / STATE),
        lines=_followed(directory / _JOURNAL),
        is_owned=is_held(directory / _LOCK),
    )


def _content(directory: Path, path: Path) -> bytes:
    """Read a file that others may write; nothing where there is none."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OutputError(_refused(directory, error)) from error


def _followed(path: Path) -> Iterator[bytes]:
    """Give the whole lines of a journal that its owner goes on writing."""
    if path.is_file():
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def _take_away(path: Path) -> None:
    """Remove a file of a run, or whatever stands there instead."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _refused(directory: Path, error: OSError) -> str:
    """Say why a run directory cannot be taken: where it is somebody's, whose."""
    if not isinstance(error, PermissionError):
        return (
            f"{directory} cannot be written ({error.strerror}); choose another output "
            f"directory"
        )
    with suppress(OSError, KeyError, NotImplementedError):  # no name, no look at it
        if hasattr(os, "geteuid") and directory.stat().st_uid != os.geteuid():
            owner = directory.owner()  # type: ignore[misc, unused-ignore]  # of POSIX
            return (
                f"{directory} is of an unfinished run of {owner}, and "
                f"cannot be written; let them finish or remove it, or choose another "
                f"run directory with `run_dir`, or another output directory"
            )
    return (
        f"{error.filename or directory} cannot be written ({error.strerror}); get "
        f"access to it, or choose another output directory"
    )


def _trouble(path: str | Path, error: OSError) -> DiskError:
    then = ": it carries on from what is finished (geoseg plan says what all needs)"
    return disk_error(Path(path), error, then=then)
