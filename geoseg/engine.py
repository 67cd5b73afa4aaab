"""Walk the plan block by block.

Blocks go to the workers through a window of a few in flight. When the blocks
that share a seam are done, the seam's merge goes in before the next block, so
that strips do not pile up. Workers send back receipts, never pixels; this
process alone writes the journal.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from geoseg.cluster import THREADS, enlist
from geoseg.errors import BlockError, ClusterError, DeviceError, DiskError, RunError
from geoseg.grid import Block
from geoseg.tasks import (
    infer_block,
    merge_seams,
    part_name,
    strip_name,
    unpack_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from distributed import Client, Future
    from numpy.typing import NDArray

    from geoseg.cluster import Enlisted
    from geoseg.grid import Piece, Window
    from geoseg.journal import Journal, Receipt
    from geoseg.plan import Plan
    from geoseg.tasks import Done, Job

_IN_FLIGHT = THREADS + 1
"""Tasks handed to a process at a time: one more, so that none waits for us."""
_SEAMS = 8
"""Seams merged in one task at most: a finished block sets free up to eight, and a task
costs dask milliseconds."""
_PATIENCE_S = 5.0
"""Seconds without a result after which we look whether any worker is left."""
_RETRIES = 2
"""How often dask tries a failed task again, elsewhere where it can."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, counting what it resumes."""

    blocks_planned: int
    """Blocks of the plan."""
    tiles_planned: int
    """Tiles of the plan."""
    blocks: int = 0
    """Finished blocks."""
    inferred: int = 0
    """Tiles that went through the model."""
    empty: int = 0
    """Tiles that touch the AOI but hold no valid pixel of it."""
    resumed: int = 0
    """Blocks that an earlier, unfinished run had done."""
    failures: tuple[str, ...] = ()
    """What is missing and why, a sentence each, where that was allowed."""

    @property
    def tiles(self) -> int:
        """Tiles of finished blocks."""
        return self.inferred + self.empty


def run(
    job: Job,
    journal: Journal,
    client: Client,
    on_progress: Callable[[Progress], None],
    *,
    allow_missing: bool = False,
) -> Progress:
    """Do what is left of a plan.

    Every task that can finish does, even where another fails.

    Args:
        job: What is to be done.
        journal: What has been done; finished tasks are added.
        client: Who does it.
        on_progress: Called when a block is done.
        allow_missing: Leave out what failed, and name it in the result, where at
            least one block is there.

    Returns:
        The counts of the whole run.

    Raises:
        ClusterError: A worker cannot take part; nothing was done.
        DiskError: The disk is full or cannot be written.
        DeviceError: The device ran out of memory.
        BlockError: A block or seam failed; the first one's cause is chained.
        RunError: No worker is left.

    """
    _forget_lost(job.plan, journal)
    walk = _Walk(job.plan, journal, on_progress)
    with enlist(client, job) as workers:
        failures = walk.finish(workers)
    if failures and not (allow_missing and walk.progress.blocks):
        raise failures[0]
    return replace(walk.progress, failures=tuple(map(str, failures)))


def parts(
    plan: Plan, journal: Journal, layer: int
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Read back the finished parts of a run.

    Args:
        plan: The run's plan.
        journal: The run's journal. A piece that no task finished is left out; `run`
            has named it.
        layer: 0 for classes, 1 for confidence.

    Yields:
        A part's window, counted from the output raster's first pixel, and its
        values, shape ``(y, x)``. Parts do not overlap.

    """
    for piece in plan.pieces():
        if (maker := _maker(plan, piece)) not in journal:
            continue
        window = plan.output(piece)
        receipt = journal.receipt(maker, part_name(piece))
        values = unpack_part(journal.store.read(receipt), window)
        yield window.relative_to(plan.area), values[layer]


_Work: TypeAlias = "Block | tuple[Piece, ...]"
"""What is handed to a worker at a time: a block, or seams to merge."""


class _Walk:
    """One run's way through its plan: what is left, and what a result sets free."""

    def __init__(
        self, plan: Plan, journal: Journal, on_progress: Callable[[Progress], None]
    ) -> None:
        self._plan, self._journal = plan, journal
        self._on_progress = on_progress
        self._failures: list[BlockError] = []
        done = {b for b in self._plan.blocks if _task(b) in journal}
        self._blocks = deque(sorted(self._plan.blocks - done))
        self._seams = deque(p for p in self._plan.pieces() if self._is_ready(p))
        self.progress = Progress(
            blocks_planned=len(self._plan.blocks),
            tiles_planned=self._plan.tiles,
            blocks=len(done),
            inferred=sum(journal.notes(_task(b))["inferred"] for b in done),
            empty=sum(journal.notes(_task(b))["empty"] for b in done),
            resumed=len(done),
        )

    def finish(self, workers: Enlisted) -> list[BlockError]:
        """Run every task that is not in the journal; return those that failed."""
        room = _IN_FLIGHT * workers.count
        results: SimpleQueue[Future[Any]] = SimpleQueue()
        work: dict[Future[Any], _Work] = {}

        def hand_out() -> None:
            while len(work) < room and (task := self._next()):
                future = self._submit(workers, task)
                work[future] = task
                future.add_done_callback(results.put)

        self._on_progress(self.progress)
        hand_out()
        while work:
            future = _next_result(results, workers)
            self._settle(work.pop(future), future)
            hand_out()
        return self._failures

    def _next(self) -> _Work | None:
        """Seams first: their strips take room on disk until they are merged."""
        if self._seams:
            count = min(len(self._seams), _SEAMS)
            return tuple(self._seams.popleft() for _ in range(count))
        return self._blocks.popleft() if self._blocks else None

    def _submit(self, workers: Enlisted, work: _Work) -> Future[Any]:
        if isinstance(work, Block):
            return workers.submit(infer_block, work, retries=_RETRIES)
        seams = [(p, list(_strips(self._plan, self._journal, p))) for p in work]
        return workers.submit(merge_seams, seams, retries=_RETRIES)

    def _settle(self, work: _Work, future: Future[Any]) -> None:
        """Note finished work in the journal, or why it failed."""
        try:
            done = future.result()
        except (DiskError, DeviceError, ClusterError):
            raise  # no other task can do better
        except CancelledError as error:
            raise _no_worker() from error
        except Exception as error:  # noqa: BLE001  # the task boundary: any cause counts
            self._failures.append(self._failure(work, error))
            return
        if isinstance(work, Block):
            self._settle_block(work, done)
            return
        for piece, merged in zip(work, done, strict=True):
            self._settle_seam(piece, merged)

    def _settle_block(self, block: Block, done: Done) -> None:
        notes = {"inferred": done.inferred, "empty": done.empty}
        self._journal.record(_task(block), done.receipts, notes)
        self._seams.extend(p for p in self._plan.shown(block) if self._is_ready(p))
        self.progress = replace(
            self.progress,
            blocks=self.progress.blocks + 1,
            inferred=self.progress.inferred + done.inferred,
            empty=self.progress.empty + done.empty,
        )
        self._on_progress(self.progress)

    def _settle_seam(self, piece: Piece, done: Done) -> None:
        strips = [strip.name for strip in _strips(self._plan, self._journal, piece)]
        self._journal.record(_task(piece), done.receipts, {})
        self._journal.store.remove(strips)

    def _is_ready(self, piece: Piece) -> bool:
        """Whether a piece is a seam, unmerged, and all its strips are there."""
        sharers = self._plan.sharers(piece)
        return (
            len(sharers) > 1
            and _task(piece) not in self._journal
            and all(_task(block) in self._journal for block in sharers)
        )

    def _failure(self, work: _Work, error: Exception) -> BlockError:
        lattice = self._plan.lattice
        task = work if isinstance(work, Block) else work[0]
        window = (
            lattice.block_view(task)
            if isinstance(task, Block)
            else lattice.piece_window(task)
        )
        bounds = self._plan.georef.crop(window).bounds
        failure = BlockError(
            f"{_task(task)} failed (rows {window.rows[0]}-{window.rows[1]}, columns "
            f"{window.cols[0]}-{window.cols[1]}; {bounds} in the scene's CRS): {error}"
        )
        failure.__cause__ = error
        return failure


def _next_result(results: SimpleQueue[Future[Done]], workers: Enlisted) -> Future[Done]:
    """Wait for a task to end, as long as there is a worker that could end it."""
    while True:
        try:
            return results.get(timeout=_PATIENCE_S)
        except Empty:
            if not workers.count:
                raise _no_worker() from None


def _no_worker() -> RunError:
    return RunError(
        "no worker is left, or the scheduler is gone; start them again and run the "
        "same command: it carries on from what is finished"
    )


def _task(task: Block | Piece) -> str:
    """Name a task in the journal."""
    kind = "block" if isinstance(task, Block) else "seam"
    return f"{kind} {task.row} {task.col}"


def _maker(plan: Plan, piece: Piece) -> str:
    """Name the task that finishes a piece."""
    sharers = plan.sharers(piece)
    return _task(sharers[0]) if len(sharers) == 1 else _task(piece)


def _holds(journal: Journal, task: str, name: str) -> bool:
    return journal.store.holds(journal.receipt(task, name))


def _strips(plan: Plan, journal: Journal, piece: Piece) -> Iterator[Receipt]:
    """The receipts of the strips that a seam is merged from."""
    for block in plan.sharers(piece):
        yield journal.receipt(_task(block), strip_name(piece, block))


def _forget_lost(plan: Plan, journal: Journal) -> None:
    """Count as unfinished each task whose files did not last.

    A merged seam's strips are gone, so where its part is lost, the blocks that
    share it are done anew.
    """
    lost: set[str] = set()
    for piece in plan.pieces():
        sharers = plan.sharers(piece)
        if (maker := _maker(plan, piece)) in journal:
            if not _holds(journal, maker, part_name(piece)):
                lost.update((maker, *map(_task, sharers)))
            continue
        for block in sharers:
            strip = strip_name(piece, block)
            if _task(block) in journal and not _holds(journal, _task(block), strip):
                lost.add(_task(block))
    for task in lost:
        journal.forget(task)
