"""What a run directory can do, whatever it is on.

A *store* keeps files whole or not at all, and goes to workers. A *log* keeps the lines
that say which files count, and stays with the one process that owns the run.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from geoseg.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

IDENTITY = "identity.json"
"""The file that says whose run it is; where it is missing, nothing else counts."""
STATE = "state.json"
"""The file in which its owner says how a run is; nothing depends on it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of what was written."""

    name: str
    """The file's name in the run directory."""
    size: int
    """Its size in bytes."""
    checksum: int
    """Its CRC-32: it finds damage, and takes a quarter of a hash's time."""
    version: str = ""
    """What makes its name unique, where files are not renamed."""


def receipt_for(name: str, data: bytes) -> Receipt:
    """Make the proof of what is about to be written."""
    return Receipt(name, len(data), zlib.crc32(data))


def check_content(address: str, data: bytes, receipt: Receipt) -> None:
    """Refuse what is not what was written.

    Raises:
        RunError: It is damaged; the message names its address.

    """
    if not fits(data, receipt):
        raise RunError(
            f"{address} is damaged; run the same command again: what is damaged is "
            f"computed anew"
        )


def fits(data: bytes, receipt: Receipt) -> bool:
    """Return whether content is what was written."""
    return (len(data), zlib.crc32(data)) == (receipt.size, receipt.checksum)


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

    def write(self, name: str, data: bytes) -> Receipt:
        """Write a file whole or not at all.

        Raises:
            DiskError: The disk is full or cannot be written.

        """

    def read(self, receipt: Receipt) -> bytes:
        """Read a file back and check it.

        Raises:
            RunError: It is gone or is not what was written.

        """

    def survey(self) -> Callable[[Receipt], bool]:
        """Give what says of a file whether it is there and is what was written."""

    def remove(self, receipts: Iterable[Receipt]) -> None:
        """Remove files; those that are gone already are no error."""


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
