"""The folder of an export under way, and the chips that are in it already.

It is hidden beside the output and becomes it when all is whole. Each chip is a line of
JSON, written when its files are there, with their checksums: a line that a kill cut
short does not count, nor one whose files are not what it says.
"""

from __future__ import annotations

import json
import shutil
import zlib
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from geoseg.errors import InputError, ResumeError
from geoseg.storage import resume
from geoseg.storage.full_disk import written
from geoseg.storage.lock import locked_file
from geoseg.storage.renames import rename
from geoseg.storage.staging import check_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self

_IDENTITY, _LINES, _UNFINISHED = "identity.json", "chips.jsonl", "unfinished"


@dataclass(frozen=True, slots=True)
class ChipEntry:
    """What is known of a chip that was dealt with."""

    chip: str
    """Its name."""
    valid: int
    """Pixels with data; 0 where the chip was left out."""
    counts: tuple[int, ...]
    """Pixels of each class, in the order of the legend; none without labels."""
    moments: dict[str, Any]
    """Sums of each band, as `geoseg.train.chips.band_figures.Moments` writes them."""
    sums: dict[str, int]
    """The CRC-32 of each of its files, by its path in the folder."""


class Ledger:
    """The folder, and its lines."""

    def __init__(self, output: Path) -> None:
        """Name the files; nothing is made yet."""
        self.output = output
        self.folder = output.with_name(f".{output.name}.tiles")
        self.content = self.folder / "content"
        self.done: dict[str, ChipEntry] = {}

    @classmethod
    @contextmanager
    def open(
        cls, output: Path, identity: Mapping[str, str], *, restart: bool
    ) -> Iterator[Self]:
        """Open what an interrupted export left, or begin.

        Raises:
            OutputError: The output cannot be a folder, or another export is under way.
            ResumeError: What is there is of another export.
            DiskError: The body could not write.

        """
        check_folder(output)
        ledger = cls(output)
        with locked_file(output), ledger._taken_up(identity, restart=restart):
            yield ledger

    @contextmanager
    def _taken_up(
        self, identity: Mapping[str, str], *, restart: bool
    ) -> Iterator[None]:
        """Hold the folder, and leave in it what is worth keeping."""
        if restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.check(identity)
        try:
            with written(self.output, self.folder):
                for kind in ("images", "masks"):
                    (self.content / kind).mkdir(parents=True, exist_ok=True)
                self._put(self.folder / _IDENTITY, resume.written(identity))
                yield
        except InputError:
            self.drop()  # it would come to the same end again
            raise

    def check(self, identity: Mapping[str, str]) -> None:
        """Take up what is there, unless it is of another export.

        Raises:
            ResumeError: Something differs; the message says what.

        """
        before = _read_identity(self.folder / _IDENTITY)
        if before is None:  # nothing, or nothing that can be trusted
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        resume.check_same(before, identity, self.folder, "export")
        entries = (_read_entry(line) for line in self._lines())
        self.done = {
            entry.chip: entry for entry in entries if entry and self._is_whole(entry)
        }

    def add(self, entry: ChipEntry) -> None:
        """Note that a chip is done."""
        self.done[entry.chip] = entry
        with (self.folder / _LINES).open("a", encoding="utf-8") as lines:
            # A line that was cut short must not swallow this one.
            lines.write("\n" + json.dumps(asdict(entry)) + "\n")

    def keep(self, files: Mapping[str, bytes]) -> dict[str, int]:
        """Write files into the content, each whole or not at all.

        Args:
            files: What they hold, by their paths in the folder.

        Returns:
            The CRC-32 of each: of what it is to hold, whatever the disk made of it.

        Raises:
            OSError: The disk is full or cannot be written.

        """
        for name, content in files.items():
            self._put(self.content / name, content)
        return {name: zlib.crc32(content) for name, content in files.items()}

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file that is there whole, or as it was before."""
        unfinished = self.folder / _UNFINISHED
        unfinished.write_bytes(content)
        rename(unfinished, path)

    def deliver(self) -> None:
        """Let the content appear as the output."""
        if self.output.exists():
            self.output.rmdir()
        rename(self.content, self.output)
        shutil.rmtree(self.folder, ignore_errors=True)

    def drop(self) -> None:
        """Throw it all away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lines(self) -> list[str]:
        with suppress(FileNotFoundError):
            text = (self.folder / _LINES).read_text(encoding="utf-8", errors="replace")
            return text.splitlines()
        return []

    def _is_whole(self, entry: ChipEntry) -> bool:
        with suppress(OSError):
            return all(
                zlib.crc32((self.content / name).read_bytes()) == known
                for name, known in entry.sums.items()
            )
        return False


def _read_identity(path: Path) -> dict[str, str] | None:
    with suppress(OSError, ResumeError):
        return resume.read(path.read_bytes(), path, "export")
    return None


def _read_entry(line: str) -> ChipEntry | None:
    with suppress(ValueError, TypeError):
        entry = json.loads(line)
        return ChipEntry(**{**entry, "counts": tuple(entry["counts"])})
    return None
