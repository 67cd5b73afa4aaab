"""The finished tasks of a run, and whose run it is.

A journal is written line by line and read from start to end: what a line says is not
kept in memory, of which a million blocks would take gigabytes.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from geoseg.errors import InputError, ResumeError
from geoseg.run.journal.disk import DiskLog
from geoseg.run.journal.objects import ObjectLog, read_identity
from geoseg.run.journal.store import IDENTITY, Receipt
from geoseg.storage.remote import as_url

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from types import TracebackType

    from geoseg.run.journal.store import Log


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished task."""

    task: str
    """Its name."""
    receipts: tuple[Receipt, ...] = ()
    """The files that it left."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """What was counted on the way."""


class Journal:
    """The finished tasks of one run. Only one process has it open at a time."""

    def __init__(self, log: Log) -> None:
        """Take over a run directory: use `open_journal`."""
        self.store = log.store
        """The run directory's files."""
        self._log = log
        self._used = False

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
        if isinstance(error, InputError) and not self._used:
            self.discard()
        else:
            self._log.release()

    def entries(self) -> Iterator[Entry]:
        """Read the finished tasks from the journal, each once, oldest first."""
        for line in self._log.lines():
            entry = _parse(line)
            if entry is not None:
                self._used = True
                yield entry

    def record(self, *entries: Entry) -> None:
        """Note that tasks are finished and their files are in their places.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        self._log.append(map(_line, entries))
        self._used = True

    def forget(self, tasks: Container[str]) -> None:
        """Count tasks as unfinished, because files did not last."""
        kept = (_line(entry) for entry in self.entries() if entry.task not in tasks)
        self._log.rewrite(kept)

    def discard(self) -> None:
        """Remove the run directory: its products are complete."""
        self._log.discard()


def open_journal(
    place: Path | str, identity: Mapping[str, str], *, restart: bool = False
) -> Journal:
    """Begin a run in a place, or take up the one that was begun there.

    Args:
        place: The run directory, a path or the URL of an object store; made where it
            does not exist.
        identity: Every input and setting that changes pixels, by name.
        restart: Throw away what an earlier run left.

    Raises:
        OutputError: The place cannot be written.
        ResumeError: It belongs to another run (the message names what differs),
            or a live process is using it.

    """
    url = as_url(place)
    log: Log = DiskLog(_folder(place)) if url is None else ObjectLog(url)
    try:
        before = None if restart else log.identity()
        if before is None:
            log.sign(json.dumps(dict(identity), indent=1).encode())
        else:
            _compare(_read(before, log.place), identity, log.place)
    except BaseException:
        log.release()
        raise
    return Journal(log)


def identity_of(place: Path | str) -> dict[str, str]:
    """Read, without taking it, whose run a place holds; nothing where none is.

    Raises:
        OutputError: It cannot be reached.
        ResumeError: What it says is damaged.

    """
    url = as_url(place)
    if url is not None:
        found = read_identity(url)
    else:
        path = _folder(place) / IDENTITY
        found = path.read_bytes() if path.exists() else None
    return _read(found, str(place)) if found else {}


def _folder(place: Path | str) -> Path:
    return Path(str(place).removeprefix("file://"))


def _read(identity: bytes, place: str) -> dict[str, str]:
    try:
        told: dict[str, str] = json.loads(identity)
    except ValueError as error:
        raise ResumeError(
            f"{place} holds an unfinished run whose identity is damaged; use --restart "
            f"to begin again"
        ) from error
    return told


def _compare(
    before: Mapping[str, str], identity: Mapping[str, str], place: str
) -> None:
    """Refuse another run's directory."""
    names = sorted(before.keys() | identity.keys())
    changes = [
        f"{name} was {before.get(name, 'not set')}, is {identity.get(name, 'not set')}"
        for name in names
        if before.get(name) != identity.get(name)
    ]
    if changes:
        raise ResumeError(
            f"{place} holds an unfinished run that differs: {'; '.join(changes)}. "
            f"Repeat that run's command, choose another output directory, or use "
            f"--restart to begin again"
        )


def _line(entry: Entry) -> str:
    files = [astuple(receipt) for receipt in entry.receipts]
    line = {"task": entry.task, "files": files, "notes": dict(entry.notes)}
    return json.dumps(line, separators=(",", ":"))


def _parse(line: bytes) -> Entry | None:
    """Read a line; a power cut may have left anything in one, which is nothing."""
    try:
        told = json.loads(line)
        receipts = tuple(Receipt(*file) for file in told["files"])
        return Entry(told["task"], receipts, told["notes"])
    except (ValueError, TypeError, KeyError):
        return None
