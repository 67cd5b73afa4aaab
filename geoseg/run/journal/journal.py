"""The finished tasks of a run, and whose run it is.

A journal is written line by line and read from start to end: what a line says is not
kept in memory, of which a million blocks would take gigabytes.
"""

from __future__ import annotations

import json
import logging
import re
import time
from array import array
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from itertools import islice
from pathlib import Path
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from geoseg.errors import DiskError, InputError, RunError, sentence
from geoseg.run.journal import disk, objects
from geoseg.run.journal.disk import DiskLog
from geoseg.run.journal.objects import ObjectLog, read_identity
from geoseg.run.journal.state import STOPPED, State, read_state
from geoseg.run.journal.store import WRITTEN, Receipt
from geoseg.storage import resume
from geoseg.storage.remote import as_url, on_disk

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from types import TracebackType

    from geoseg.run.journal.store import Log


_LOG = logging.getLogger(__name__)
_TASK = re.compile(r"[a-z]+ \d{1,9} \d{1,9}")
_END_OF_TIME = 2.0**53
_BEHIND = 1000
"""How many times tasks may be recorded that nobody who follows has taken."""
_TOGETHER = 256
"""Lines of a journal that are given at a time."""
_LOOK_S = 0.5
"""Seconds between looks at whether anybody follows any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished task."""

    task: str
    """Its name."""
    receipts: tuple[Receipt, ...] = ()
    """What it left."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """What was counted on the way."""
    at: float = field(default=0, compare=False)
    """When it was recorded, in seconds since 1970; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a run is, as whoever looks at its directory sees it."""

    identity: Mapping[str, str]
    """Every input and setting that changes pixels, by name."""
    state: State
    """What its owner said last."""
    entries: Iterator[Entry]
    """The finished tasks, each once, oldest first; they are read as they are taken."""
    is_owned: bool | None
    """Whether a process has it now; None where that cannot be seen."""


class Following:
    """The finished tasks of a run that goes on, each once, for another thread."""

    def __init__(self, before: Iterator[Sequence[Entry]]) -> None:
        """Begin with those that were finished before."""
        self._before = before
        self._news: Queue[Sequence[Entry]] = Queue(_BEHIND)  # nothing: the end
        self._stopped = False

    def __iter__(self) -> Iterator[Sequence[Entry]]:
        """Give them as they come, those at once that ended at once, until `end`.

        Raises:
            RunError: It was stopped.

        """
        for entries in self._all():
            self._go_on()
            yield entries
        self._go_on()

    def _go_on(self) -> None:
        if self._stopped:
            raise RunError("the run was stopped")

    def _all(self) -> Iterator[Sequence[Entry]]:
        yield from self._before
        while entries := self._news.get():
            yield entries

    def put(self, entries: Sequence[Entry]) -> None:
        """Add some; wait where many are to be taken first, so that they stay few."""
        while not self._stopped:
            with suppress(Full):
                self._news.put(entries, timeout=_LOOK_S)
                return

    def end(self) -> None:
        """Say that there are no more."""
        self.put(())

    def stop(self) -> None:
        """Have it end at once, whoever takes them or adds to them."""
        self._stopped = True
        with suppress(Empty):
            while True:
                self._news.get_nowait()
        self._news.put(())


class Journal:
    """The finished tasks of one run. Only one process has it open at a time."""

    def __init__(self, log: Log) -> None:
        """Take over a run directory: use `open_journal`."""
        self.store = log.store
        """The run directory's files."""
        self.warnings: tuple[str, ...] = ()
        """What was found to be wrong with what an earlier process left."""
        self._log = log
        self._used = self._discarded = False
        self._followers: list[Following] = []
        self._state = State.begun()

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
            return
        if not self._discarded:
            why = "" if error is None else sentence(str(error)) or STOPPED
            self.report(ended=time.time(), error=why)
        self._log.release()

    def entries(self) -> Iterator[Entry]:
        """Read the finished tasks from the journal, each once, oldest first."""
        for line in self._log.lines():
            entry = _parse(line)
            if entry is not None:
                self._used = True
                yield entry

    def batches(self, most: int | None = None) -> Iterator[Sequence[Entry]]:
        """Read the finished tasks, or so many, some at a time."""
        entries = islice(self.entries(), most)
        return iter(lambda: tuple(islice(entries, _TOGETHER)), ())

    def follow(self) -> Following:
        """Give the finished tasks, and from now on those that are recorded.

        Call it from the thread that records; what is given is for another one.
        """
        known = sum(1 for _ in self._log.lines())
        following = Following(self.batches(known))
        self._followers.append(following)
        return following

    def mend(self) -> None:
        """Write the journal anew where lines cannot be read or stand twice.

        A disk that lost its power, or a copy of a folder, can leave such lines. How
        many there were is said in `warnings`; what they were of counts as unfinished.

        """
        unreadable, hashes = 0, array("q")  # eight bytes for each task
        for line in self._log.lines():
            entry = _parse(line)
            if entry is None:
                unreadable += 1
            else:
                hashes.append(hash(entry.task))
        twice = len(hashes) - len(np.unique(hashes))
        if not unreadable + twice:
            return
        last = {entry.task: entry for entry in self.entries()}
        self._log.rewrite(map(_line, last.values()))
        warning = (
            f"of the journal of the unfinished run in {self._log.directory}, "
            f"{unreadable:,} lines could not be read and {twice:,} stood there twice; "
            f"what is missing is computed anew"
        )
        self.warnings = (warning,)

    def record(self, *entries: Entry) -> None:
        """Note that tasks are finished and their files are written.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        now = round(time.time(), 2)
        self._log.append(_line(replace(each, at=now)) for each in entries)
        self._used = True
        for following in self._followers:
            following.put(entries)
        for each in entries:
            _LOG.debug("finished %s, which left %d", each.task, len(each.receipts))

    def forget(self, tasks: Container[str]) -> None:
        """Count tasks as unfinished, because files did not last."""
        kept = (_line(entry) for entry in self.entries() if entry.task not in tasks)
        self._log.rewrite(kept)

    def discard(self) -> None:
        """Remove the run directory: its products are complete."""
        self._discarded = True
        self._log.discard()

    def report(self, **changes: Any) -> None:  # noqa: ANN401  # fields of State
        """Say how the run is, to whoever looks at its directory, where that changes."""
        state = replace(self._state, **changes)
        if state != self._state:
            self._state = state
            with suppress(DiskError):  # what depends on the disk says so itself
                self._log.report(state.written())


def open_journal(
    directory: Path | str,
    identity: Mapping[str, str],
    *,
    restart: bool = False,
    output: str = "",
) -> Journal:
    """Begin a run in a directory, or take up the one that was begun there.

    Args:
        directory: The run directory, a path or the URL of an object store; made
            where it does not exist.
        identity: Every input and setting that changes pixels, by name.
        restart: Throw away what an earlier run left.
        output: Where the products are going to be, for whoever looks.

    Raises:
        OutputError: The directory cannot be written.
        ResumeError: It belongs to another run (the message names what differs),
            or a live process is using it.

    """
    url = as_url(directory)
    log: Log = DiskLog(_folder(directory)) if url is None else ObjectLog(url)
    try:
        before = None if restart else log.identity()
        does = "begins a run" if before is None else "takes a run up"
        _LOG.info("%s in %s", does, log.directory)
        journal = Journal(log)
        if before is None:
            log.sign(resume.written(identity))
        else:
            known = resume.read(before, log.directory, "run")
            resume.check_same(known, identity, log.directory, "run")
            journal.mend()
        journal.report(output=output, began=time.time())
    except BaseException:
        log.release()
        raise
    return journal


def identity_of(directory: Path | str) -> dict[str, str]:
    """Read, without taking it, whose run a directory holds; nothing where none is.

    Raises:
        OutputError: It cannot be reached.
        ResumeError: What it says is damaged.

    """
    url = as_url(directory)
    found = (
        disk.read_identity(_folder(directory)) if url is None else read_identity(url)
    )
    return resume.read(found, directory, "run") if found else {}


def look_at(directory: Path | str) -> Snapshot | None:
    """See how the run in a directory is, without taking it; None where none is.

    Raises:
        OutputError: It cannot be reached or read.
        ResumeError: What it says is damaged.

    """
    url = as_url(directory)
    seen = disk.look(_folder(directory)) if url is None else objects.look(url)
    if seen is None:
        return None
    return Snapshot(
        resume.read(seen.identity, directory, "run"),
        read_state(seen.state),
        (entry for line in seen.lines if (entry := _parse(line)) is not None),
        seen.is_owned,
    )


def _folder(directory: Path | str) -> Path:
    return Path(on_disk(directory))


def _line(entry: Entry) -> str:
    files = [astuple(receipt) for receipt in entry.receipts]
    line: dict[str, Any] = {
        "task": entry.task,
        "files": files,
        "notes": dict(entry.notes),
    }
    line |= {"at": entry.at} if entry.at else {}
    return json.dumps(line, separators=(",", ":"))


def _parse(line: bytes) -> Entry | None:
    """Read a line; a power cut may have left anything in one, which is nothing."""
    try:
        record = json.loads(line)
        receipts = tuple(Receipt(*file) for file in record["files"])
        at = record.get("at", 0)
        entry = Entry(record["task"], receipts, record["notes"], at)
        return entry if _is_sound(entry) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_sound(entry: Entry) -> bool:
    """Whether what was read can have been written: no file lies elsewhere."""
    return (
        _TASK.fullmatch(entry.task) is not None
        and all(map(_is_receipt, entry.receipts))
        and all(_is_count(n) for n in entry.notes.values())
        and type(entry.at) in {int, float}
        and 0 <= entry.at < _END_OF_TIME
    )


def _is_receipt(receipt: Receipt) -> bool:
    return (
        type(receipt.name) is str
        and WRITTEN.fullmatch(receipt.file) is not None
        and all(map(_is_count, (receipt.size, receipt.checksum, receipt.start)))
    )


def _is_count(number: object) -> bool:
    return type(number) is int and number >= 0
