"""What a run has done: finished files, and proof that a resume is the same run.

A run directory holds ``identity.json`` (what makes this run this run),
``journal.jsonl`` (a line for each finished task, with its files' checksums),
``lock``, and the files themselves. Each file is written under another name and
renamed, and a task counts only once its line is in the journal. So whatever
instant a run is killed at, what the journal lists is whole.
"""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from geoseg.errors import DiskError, InputError, OutputError, ResumeError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

_IDENTITY, _JOURNAL, _LOCK = "identity.json", "journal.jsonl", "lock"
_UNFINISHED = ".tmp"
"""How the names of files end that are being written."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of what was written."""

    name: str
    """The file's name in the run directory."""
    size: int
    """Its size in bytes."""
    checksum: int
    """Its CRC-32: it finds damage, and takes a quarter of a hash's time."""


@dataclass(frozen=True, slots=True)
class Store:
    """The files of a run directory. It can be sent to any process."""

    directory: Path
    """Where the files are."""

    def check(self) -> None:
        """Prove that this process sees the run directory and can write it.

        Raises:
            OutputError: It does not see it.
            DiskError: It cannot write it.

        """
        if not (self.directory / _IDENTITY).exists():
            raise OutputError(
                f"the run directory {self.directory} is not there; workers need a "
                f"disk that they share with the client"
            )
        self.remove([self.write(f"check-{secrets.token_hex(8)}", b"").name])

    def write(self, name: str, data: bytes) -> Receipt:
        """Write a file whole or not at all.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        temporary = self.directory / f"{name}.{secrets.token_hex(8)}{_UNFINISHED}"
        try:
            temporary.write_bytes(data)
            temporary.replace(self.directory / name)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            what = "is full" if full else f"cannot be written ({error.strerror})"
            raise DiskError(
                f"the disk of {self.directory} {what}; make room and run the same "
                f"command again: it carries on from what is finished"
            ) from error
        return Receipt(name, len(data), zlib.crc32(data))

    def read(self, receipt: Receipt) -> bytes:
        """Read a file back and check it.

        Raises:
            RunError: It is gone or is not what was written.

        """
        try:
            data = (self.directory / receipt.name).read_bytes()
        except OSError as error:
            raise RunError(
                f"{self.directory / receipt.name} is gone; run the same command "
                f"again: what is missing is computed anew"
            ) from error
        if (len(data), zlib.crc32(data)) != (receipt.size, receipt.checksum):
            raise RunError(
                f"{self.directory / receipt.name} is damaged; run the same command "
                f"again: what is damaged is computed anew"
            )
        return data

    def holds(self, receipt: Receipt) -> bool:
        """Tell whether a file is there and is what was written."""
        try:
            self.read(receipt)
        except RunError:
            return False
        return True

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""
        for name in names:
            (self.directory / name).unlink(missing_ok=True)


class Journal:
    """The finished tasks of one run. Only one process has it open at a time."""

    def __init__(self, store: Store, lock: FileLock) -> None:
        """Take over a run directory whose lock is held: use `open_journal`."""
        self.store = store
        """The run directory's files."""
        self._lock = lock
        entries = _entries(store.directory / _JOURNAL)
        self._done: dict[str, dict[str, Any]] = {e["task"]: e for e in entries}

    def __enter__(self) -> Self:
        """Keep the run directory locked."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Unlock the run directory; remove it where the run was refused."""
        if isinstance(error, InputError) and not self._done:
            self.discard()
        else:
            self._lock.release()

    def __contains__(self, task: str) -> bool:
        """Tell whether a task is finished."""
        return task in self._done

    def receipt(self, task: str, name: str) -> Receipt:
        """The proof of one file of a finished task."""
        files = self._done[task]["files"]
        return next(Receipt(**file) for file in files if file["name"] == name)

    def notes(self, task: str) -> dict[str, int]:
        """The counts noted with a finished task."""
        notes: dict[str, int] = self._done[task]["notes"]
        return notes

    def record(
        self, task: str, receipts: Iterable[Receipt], notes: Mapping[str, int]
    ) -> None:
        """Note that a task is finished and its files are in their places.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        files = [asdict(receipt) for receipt in receipts]
        entry = {"task": task, "files": files, "notes": dict(notes)}
        try:
            with (self.store.directory / _JOURNAL).open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise DiskError(
                f"{self.store.directory} cannot be written ({error.strerror}); make "
                f"room and run the same command again"
            ) from error
        self._done[task] = entry

    def forget(self, task: str) -> None:
        """Count a task as unfinished, because files did not last; no-op if it is."""
        self._done.pop(task, None)

    def discard(self) -> None:
        """Remove the run directory: its products are complete."""
        self._lock.release()
        shutil.rmtree(self.store.directory)


def open_journal(
    directory: Path, identity: Mapping[str, str], *, restart: bool = False
) -> Journal:
    """Begin a run in a directory, or take up the one that was begun there.

    Args:
        directory: The run directory; made where it does not exist.
        identity: Every input and setting that changes pixels, by name.
        restart: Throw away what an earlier run left.

    Raises:
        OutputError: The directory cannot be written.
        ResumeError: It belongs to another run (the message names what differs),
            or a live process is using it.

    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ResumeError(
            f"{directory} is in use by a running process; wait for it or choose "
            f"another output directory"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{directory} cannot be written ({error.strerror}); choose another "
            f"output directory"
        ) from error
    try:
        if restart:
            _clear(directory)
        _identify(directory, identity)
        for leftover in directory.glob(f"*{_UNFINISHED}"):  # of a process that died
            leftover.unlink()
    except BaseException:
        lock.release()
        raise
    return Journal(Store(directory), lock)


def _identify(directory: Path, identity: Mapping[str, str]) -> None:
    """Refuse another run's directory; sign a new one."""
    path = directory / _IDENTITY
    if not path.exists():
        _clear(directory)
        Store(directory).write(_IDENTITY, json.dumps(dict(identity), indent=1).encode())
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    names = sorted(before.keys() | identity.keys())
    changes = [
        f"{name} was {before.get(name, 'not set')}, is {identity.get(name, 'not set')}"
        for name in names
        if before.get(name) != identity.get(name)
    ]
    if changes:
        raise ResumeError(
            f"{directory} holds an unfinished run that differs: {'; '.join(changes)}. "
            f"Repeat that run's command, choose another output directory, or use "
            f"--restart to begin again"
        )


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        if path.name != _LOCK:
            path.unlink()


def _entries(path: Path) -> list[dict[str, Any]]:
    """The journal's lines; a last one that a kill cut short is cut off."""
    if not path.exists():
        return []
    whole, newline, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        path.write_bytes(whole + newline)
    return [json.loads(line) for line in whole.splitlines()]
