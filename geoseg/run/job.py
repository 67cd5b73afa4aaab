"""What the engine needs of a job, whatever the job makes of its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoseg.geo.tiling import Block, Piece
    from geoseg.progress import Laps
    from geoseg.run.journal.store import Receipt, Store
    from geoseg.run.plan import Plan

THREADS = 3
"""Tasks of one process at a time: one reads, one has the device, one writes."""
_AHEAD = 3
"""As many more read where that is waiting for a network: answers come after tens of
milliseconds, in which two cores do a near-free model's work on a block of 1 Mpx."""


def tasks_at_once(*, remote: bool) -> int:
    """How many tasks of a process are under way where a scene is read from."""
    return THREADS + (_AHEAD if remote else 0)


@dataclass(frozen=True, slots=True)
class Made:
    """What a block or a merged seam is to leave in the run directory."""

    contents: Mapping[str, bytes]
    """Parts and partials by name: see `geoseg.run.parts`."""
    laps: Laps
    """How long what took, and who did it."""
    inferred: int = 0
    """Tiles that went through the model, or were made otherwise."""
    empty: int = 0
    """Tiles that touch the AOI but hold no valid pixel of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was `Made`, once its parts and partials are in files."""

    receipts: tuple[Receipt, ...]
    """What it left."""
    inferred: int = 0
    """Tiles that went through the model, or were made otherwise."""
    empty: int = 0
    """Tiles that touch the AOI but hold no valid pixel of it."""
    laps: Laps | None = None
    """How long what took, writing included, and who did it; None where nobody asked."""

    @property
    def counts(self) -> dict[str, int]:
        """What the journal notes of it."""
        return {"inferred": self.inferred, "empty": self.empty}


class Job(Protocol):
    """All that a worker needs for any task of a run; it goes to each of them once."""

    @property
    def plan(self) -> Plan:
        """What is to be done."""

    @property
    def store(self) -> Store:
        """The files of the run directory."""

    @property
    def at_once(self) -> int:
        """How many tasks of a process are under way: see `tasks_at_once`."""

    @property
    def on_gpu(self) -> bool:
        """Whether workers need a GPU each."""

    def check(self) -> None:
        """Raise an error where this process does not see the same inputs."""

    def do_block(self, block: Block) -> Made:
        """Make a block's parts and partials."""

    def merge_seam(self, piece: Piece, partials: Sequence[Receipt]) -> Made:
        """Make a finished part of the partials of a piece."""
