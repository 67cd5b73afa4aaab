"""What a run directory can do, whatever it is on.

A *store* keeps files whole or not at all, and goes to workers. A *log* keeps the lines
that say which files count, and stays with the one process that owns the run. What a
task leaves lies together in a file, since a file costs a disk, or a server, more than
its few pixels do; of each thing in it there is a *receipt*.
"""

from __future__ import annotations

import re
import secrets
import zlib
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from geoseg.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

IDENTITY = "identity.json"
"""The file that says whose run it is; where it is missing, nothing else counts."""
STATE = "state.json"
"""The file in which its owner says how a run is; nothing depends on it."""
WRITTEN = re.compile(r"[\w-][\w.-]*\.[0-9a-f]{16}")
"""How the files that tasks left are named: as no other of the run directory is."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of what was written."""

    name: str
    """What it is: see `geoseg.run.parts`."""
    size: int
    """Its size in bytes."""
    checksum: int
    """Its CRC-32: it finds damage, and takes a quarter of a hash's time."""
    file: str
    """The file of the run directory that it lies in, with others of its task."""
    start: int = 0
    """Its first byte in it."""

    @property
    def stop(self) -> int:
        """The byte after its last."""
        return self.start + self.size


def pack(contents: Mapping[str, bytes]) -> tuple[bytes, tuple[Receipt, ...]]:
    """Put what is about to be written into one file, whose name no other has.

    Args:
        contents: What each thing in it is, and its bytes; one at least.

    Returns:
        The file's bytes, and a receipt for each thing, in their order.

    """
    file = f"{next(iter(contents))}.{secrets.token_hex(8)}"
    receipts, start = list[Receipt](), 0
    for name, data in contents.items():
        receipts.append(Receipt(name, len(data), zlib.crc32(data), file, start))
        start += len(data)
    return b"".join(contents.values()), tuple(receipts)


def span(receipts: Sequence[Receipt]) -> tuple[int, int]:
    """The bytes of a file from the first of some things in it to the last."""
    return min(r.start for r in receipts), max(r.stop for r in receipts)


def unpack(address: str, data: bytes, receipts: Sequence[Receipt]) -> list[bytes]:
    """Cut things out of the `span` of them, and check each.

    Raises:
        RunError: One is not what was written; the message names the file's address.

    """
    found = _cut(data, receipts)
    if not all(map(_is_what, found, receipts)):
        raise RunError(
            f"{address} is damaged; run the same command again: what is damaged is "
            f"computed anew"
        )
    return found


def fits(data: bytes, receipts: Sequence[Receipt]) -> bool:
    """Return whether the `span` of some things holds what was written."""
    return all(map(_is_what, _cut(data, receipts), receipts))


def _cut(data: bytes, receipts: Sequence[Receipt]) -> list[bytes]:
    first, _ = span(receipts)
    return [data[each.start - first : each.stop - first] for each in receipts]


def _is_what(data: bytes, receipt: Receipt) -> bool:
    return (len(data), zlib.crc32(data)) == (receipt.size, receipt.checksum)


class Names:
    """Names of files, in eight bytes for each: a run may have a million."""

    def __init__(self) -> None:
        """Begin with none."""
        self._hashes = array("q")
        self._is_sorted = True

    def add(self, name: str) -> None:
        """Add a name, one more time too."""
        one = hash(name)
        if not self._hashes or self._hashes[-1] != one:
            self._hashes.append(one)
            self._is_sorted = False

    def __contains__(self, name: str) -> bool:
        """Whether a name was added, or, once in 2**64, one like it."""
        if not self._is_sorted:
            self._hashes = array("q", sorted(self._hashes))
            self._is_sorted = True
        one = hash(name)
        index = bisect_left(self._hashes, one)
        return index < len(self._hashes) and self._hashes[index] == one


@dataclass(frozen=True, slots=True)
class Seen:
    """A run directory as whoever looks at it finds it, without taking it."""

    identity: bytes
    """What says whose run it is."""
    state: bytes
    """What its owner said last of how it is; empty where it said nothing."""
    lines: Iterable[bytes]
    """The journal's whole lines, oldest first."""
    is_owned: bool | None
    """Whether a process has it now; None where that cannot be seen."""


class Store(Protocol):
    """The files of a run directory. It can be sent to any process."""

    def check(self) -> None:
        """Prove that this process sees the run directory and can write it.

        Raises:
            OutputError: It does not see it.
            DiskError: It cannot write it.

        """

    def write(self, contents: Mapping[str, bytes]) -> tuple[Receipt, ...]:
        """Write things by name, one at least, into a new file, whole or not at all.

        Raises:
            DiskError: The disk is full or cannot be written.

        """

    def read(self, receipts: Sequence[Receipt]) -> list[bytes]:
        """Read things of one file back, at once, and check each.

        Raises:
            RunError: One is gone or is not what was written.

        """

    def survey(self) -> Callable[[Receipt], bool]:
        """Give what says of a thing whether it is there and is what was written."""

    def remove(self, files: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""

    def sweep(self, used: Names) -> None:
        """Remove what tasks left that a kill kept from being noted: all but these."""


class Log(Protocol):
    """The lines of a run directory's journal, for the one process that owns it."""

    @property
    def directory(self) -> str:
        """Where the run directory is, in words."""

    @property
    def store(self) -> Store:
        """The run directory's files."""

    def identity(self) -> bytes | None:
        """What says whose run it is; None where nobody has signed it."""

    def sign(self, identity: bytes) -> None:
        """Throw away what there is, and say whose run it is from now on."""

    def lines(self) -> Iterator[bytes]:
        """Give the journal's whole lines, oldest first."""

    def append(self, lines: Iterable[str]) -> None:
        """Add lines; when this returns, a kill cannot lose them.

        Raises:
            DiskError: The disk is full or cannot be written.

        """

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines, at once."""

    def report(self, state: bytes) -> None:
        """Say how the run is, to whoever looks at its directory.

        Raises:
            DiskError: The disk is full or cannot be written.

        """

    def release(self) -> None:
        """Let others have the run directory."""

    def discard(self) -> None:
        """Remove the run directory, and let go of it."""
