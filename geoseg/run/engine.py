"""Walk the plan block by block.

Blocks go to the workers through a window of a few in flight; small ones go several at
a time. When the blocks that share a seam are done, the seam's merge goes in before the
next block, so that partials do not pile up. Workers send back receipts, never pixels;
this process alone writes the journal.
"""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from geoseg.errors import (
    BlockError,
    ChangedError,
    ClusterError,
    DeviceError,
    DiskError,
    RunError,
    SilentError,
    counted,
)
from geoseg.geo.tiling import Block, Piece
from geoseg.progress import Step, entered
from geoseg.run.cluster import (
    LOST,
    NO_PATIENCE,
    in_our_words,
    set_up_workers,
)
from geoseg.run.journal.journal import Entry
from geoseg.run.journal.store import Names
from geoseg.run.parts import piece_of
from geoseg.run.stages import Passage
from geoseg.run.work import do_blocks, merge_seams, task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from distributed import Client, Future

    from geoseg.progress import Timeline
    from geoseg.run.cluster import Patience, Workforce
    from geoseg.run.job import Done, Job
    from geoseg.run.journal.journal import Journal
    from geoseg.run.journal.store import Receipt
    from geoseg.run.plan import Plan
    from geoseg.run.work import Ended

_WAITING = 1
"""Tasks handed to a process beside those under way, so that none waits for us."""
_SEAMS = 8
"""Seams merged in one task for each block that is done in one: a finished block sets
free up to eight, and a task costs dask milliseconds."""
_TASK_S = 0.2
"""Seconds that a task of several blocks is to take: those costs are little then, and no
worker waits long for the others at the end."""
_MOST_BLOCKS = 64
"""Blocks done in one task at most: what a kill loses."""
_PATIENCE_S = 1.0
"""Seconds without a result after which we look whether any worker is left, and whether
the run is to stop."""
_LOOK_S = 2.0
"""Seconds between looks at which workers are left."""
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
    lost: tuple[str, ...] = ()
    """Which workers went away on the way, a sentence each."""
    failures: tuple[str, ...] = ()
    """What is missing and why, a sentence each, where that was allowed."""

    @property
    def tiles(self) -> int:
        """Tiles of finished blocks."""
        return self.inferred + self.empty

    def as_step(
        self, stage: str, done: int, total: int, warnings: Sequence[str] = ()
    ) -> Step:
        """Report it as a step of a job, whose work is counted in what the job makes."""
        return Step(
            stage,
            done=done,
            total=total,
            resumed_blocks=self.resumed,
            blocks=self.blocks_planned,
            warnings=(*warnings, *self.lost),
            kept=self.blocks > 0,
        )


def run(  # noqa: PLR0913  # what a run is, who does it, and who hears of it
    job: Job,
    journal: Journal,
    client: Client,
    on_progress: Callable[[Progress], None],
    *,
    allow_missing: bool = False,
    patience: Patience = NO_PATIENCE,
    timeline: Timeline | None = None,
    way: Passage | None = None,
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
        patience: How long to wait for a worker where none is left.
        timeline: Where each task's times go, if anywhere.
        way: The stages that it shares with other runs on these workers, if any.

    Returns:
        The counts of the whole run.

    Raises:
        ClusterError: A worker cannot take part; nothing was done.
        DiskError: The disk is full or cannot be written.
        DeviceError: The device ran out of memory.
        ChangedError: A file of the scene changed while it was read.
        BlockError: A block or seam failed; the first one's cause is chained.
        RunError: No worker is left, or the server of the scene is silent.

    """
    done = _what_lasts(job.plan, journal)
    walk = _Walk(job.plan, journal, done, on_progress, timeline)
    setting_up = set_up_workers(client, job, patience)
    with entered(setting_up, "set up workers", timeline) as workers:
        journal.report(
            blocks=len(job.plan.blocks), tiles=job.plan.tiles, workers=workers.count
        )
        failures = walk.finish(workers, job.at_once + _WAITING, way or Passage())
    if failures and not (allow_missing and walk.progress.blocks):
        raise failures[0]
    return replace(walk.progress, failures=tuple(map(str, failures)))


_Work: TypeAlias = "tuple[Block | Piece, ...]"
"""What is handed to a worker at a time: blocks, or seams to merge; one at least."""


class _Marks:
    """Which blocks or pieces are done, in a byte for each: nothing that grows."""

    def __init__(self, rows: int, cols: int) -> None:
        self._cols, self._flags = cols, bytearray(rows * cols)

    def __contains__(self, unit: Block | Piece) -> bool:
        return self._flags[unit.row * self._cols + unit.col] == 1

    def add(self, unit: Block | Piece) -> None:
        self._flags[unit.row * self._cols + unit.col] = 1


class _Finished:
    """What is finished of a plan, and the partials that wait for their merge."""

    def __init__(self, plan: Plan) -> None:
        rows, cols = plan.lattice.rows.blocks, plan.lattice.cols.blocks
        self.blocks = _Marks(rows, cols)
        self.seams = _Marks(2 * rows - 1, 2 * cols - 1)
        self.partials: dict[Piece, dict[Block, Receipt]] = {}
        self._waiting: Counter[str] = Counter()  # partials in a file
        self.counts: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        """Note a finished task."""
        kind, row, col = entry.task.split()
        if kind == "block":
            self.blocks.add(Block(int(row), int(col)))
            self.counts.update(entry.notes, blocks=1)
        else:
            self.seams.add(Piece(int(row), int(col)))

    def keep_partials(self, entry: Entry) -> list[Receipt]:
        """Keep the partials that a task left; give those that came too late."""
        late = []
        for receipt in entry.receipts:
            piece, sharer = piece_of(receipt.name)
            if sharer is None:
                continue
            if piece in self.seams:
                late.append(receipt)
            else:
                self.partials.setdefault(piece, {})[sharer] = receipt
                self._waiting[receipt.file] += 1
        return late

    def merged(self, piece: Piece) -> list[Receipt]:
        """Let go of a merged piece's partials, and give them."""
        gone = list(self.partials.pop(piece).values())
        self._waiting.subtract(receipt.file for receipt in gone)
        return gone

    def without_use(self, partials: Iterable[Receipt]) -> set[str]:
        """Name the files of some partials in which none waits any more."""
        files = {receipt.file for receipt in partials}
        unused = {file for file in files if not self._waiting[file]}
        for file in unused:
            del self._waiting[file]
        return unused


class _Walk:
    """One run's way through its plan: what is left, and what a result sets free."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        done: _Finished,
        on_progress: Callable[[Progress], None],
        timeline: Timeline | None,
    ) -> None:
        self._plan, self._journal, self._done = plan, journal, done
        self._on_progress, self._timeline = on_progress, timeline
        self._failures: list[BlockError] = []
        self._blocks = (block for block in plan.blocks if block not in done.blocks)
        self._alone: deque[Block] = deque()  # what others of its task left
        self._seams = deque(piece for piece in done.partials if self._is_ready(piece))
        self._at_once = 1  # blocks of a task
        self.progress = Progress(
            blocks_planned=len(plan.blocks),
            tiles_planned=plan.tiles,
            blocks=done.counts["blocks"],
            inferred=done.counts["inferred"],
            empty=done.counts["empty"],
            resumed=done.counts["blocks"],
        )

    def finish(
        self, workers: Workforce, in_flight: int, way: Passage
    ) -> list[BlockError]:
        """Run every task that is not in the journal; return those that failed.

        So many are handed to each process at a time. Once all blocks are handed out,
        the next run on these workers may hand out its own.
        """
        way.enter("hand out")
        room = in_flight * workers.count
        results: SimpleQueue[Future[Any]] = SimpleQueue()
        census = _Census(workers)
        work: dict[Future[Any], _Work] = {}

        def hand_out() -> None:
            while len(work) < room and (task := self._next(room)):
                future = self._submit(workers, task)
                work[future] = task
                future.add_done_callback(results.put)
            if len(work) < room:
                way.enter("infer", wait=False)

        self._on_progress(self.progress)
        hand_out()
        while work:
            ended = _next_results(results, workers, way)
            self._note_lost(census)
            try:
                self._record([(work.pop(future), future) for future in ended], workers)
            except ChangedError as error:
                read = counted(self.progress.blocks, "block")
                raise ChangedError(f"{error}; {read} had been read before") from error
            hand_out()
        census.look()  # one that was lost just now is named as well
        self._note_lost(census)
        return self._failures

    def _note_lost(self, census: _Census) -> None:
        self.progress = replace(self.progress, lost=census.lost())
        self._journal.report(lost=self.progress.lost, workers=census.count)

    def _next(self, room: int) -> _Work | None:
        """Take seams first: their partials take room until they are merged."""
        if self._alone:
            return (self._alone.popleft(),)
        left = len(self._plan.blocks) - self.progress.blocks
        count = min(self._at_once, 1 + left // (2 * room))  # some for everybody
        if len(self._seams) < _SEAMS * count:
            blocks = tuple(islice(self._blocks, count))
            if blocks:
                return blocks
        seams = min(len(self._seams), _SEAMS * count)
        return tuple(self._seams.popleft() for _ in range(seams)) or None

    def _submit(self, workers: Workforce, work: _Work) -> Future[Any]:
        timed, partials = self._timeline is not None, self._done.partials
        blocks = [unit for unit in work if isinstance(unit, Block)]
        if blocks:
            return workers.submit(do_blocks, blocks, timed, retries=_RETRIES)
        pieces = [unit for unit in work if isinstance(unit, Piece)]
        seams = [(piece, list(partials[piece].values())) for piece in pieces]
        return workers.submit(merge_seams, seams, timed, retries=_RETRIES)

    def _do_again(self, work: _Work) -> None:
        """Hand out once more what comes after a unit that failed."""
        for unit in work:
            if isinstance(unit, Block):
                self._alone.append(unit)
            else:
                self._seams.append(unit)

    def _suit(self, work: _Work, ended: Ended) -> None:
        """Have tasks of more blocks where one of so many was short, or of fewer."""
        if not isinstance(work[0], Block) or len(work) != self._at_once:
            return
        if ended.seconds > _TASK_S:
            self._at_once = max(self._at_once // 2, 1)
        elif ended.seconds < _TASK_S / 2:
            self._at_once = min(self._at_once * 2, _MOST_BLOCKS)

    def _record(
        self, ended: Sequence[tuple[_Work, Future[Any]]], workers: Workforce
    ) -> None:
        """Note finished work in the journal, all at once, or why it failed."""
        finished: list[tuple[_Work, Sequence[Done]]] = []
        try:
            for work, future in ended:
                try:
                    found: Ended = _result(future, workers)
                except (DiskError, DeviceError, ClusterError, ChangedError):
                    raise  # no other task can do better
                except SilentError as error:
                    raise RunError(str(error)) from error
                except LOST as error:
                    raise workers.no_worker() from error
                except Exception as error:  # noqa: BLE001  # the task boundary: any cause
                    self._failures.append(self._failure(work[0], in_our_words(error)))
                    self._journal.report(failures=tuple(map(str, self._failures)))
                    self._do_again(work[1:])
                else:
                    self._suit(work, found)
                    count = len(found.done)
                    finished.append((work[:count], found.done))
                    self._do_again(work[count:])
        finally:
            self._note(finished)

    def _note(self, finished: Sequence[tuple[_Work, Sequence[Done]]]) -> None:
        """Record what is finished; only then may the partials of merged seams go."""
        ended = [
            (unit, done)
            for work, results in finished
            for unit, done in zip(work, results, strict=True)
        ]
        entries = [
            (unit, Entry(task_name(unit), done.receipts, done.counts))
            for unit, done in ended
        ]
        if not entries:
            return
        self._journal.record(*(entry for _, entry in entries))
        gone: list[Receipt] = []
        for unit, entry in entries:
            self._done.add(entry)
            if isinstance(unit, Block):
                gone += self._done.keep_partials(entry)
                self._finish_block(unit, entry.notes)
            else:
                gone += self._done.merged(unit)
        self._journal.store.remove(self._done.without_use(gone))
        for unit, done in ended:
            if self._timeline is not None and done.laps is not None:
                self._timeline.task(task_name(unit), done.laps)

    def _finish_block(self, block: Block, counts: Mapping[str, int]) -> None:
        self._seams.extend(p for p in self._plan.shown(block) if self._is_ready(p))
        self.progress = replace(
            self.progress,
            blocks=self.progress.blocks + 1,
            inferred=self.progress.inferred + counts["inferred"],
            empty=self.progress.empty + counts["empty"],
        )
        self._on_progress(self.progress)

    def _is_ready(self, piece: Piece) -> bool:
        """Whether a piece is a seam, unmerged, and all its partials are there."""
        partials = self._done.partials.get(piece, {})
        return bool(partials) and len(partials) == len(self._plan.sharers(piece))

    def _failure(self, task: Block | Piece, error: Exception) -> BlockError:
        lattice = self._plan.lattice
        window = (
            lattice.block_view(task)
            if isinstance(task, Block)
            else lattice.piece_window(task)
        )
        bounds = self._plan.geobox.crop(window).bounds
        failure = BlockError(
            f"{task_name(task)} failed (rows {window.rows[0]}-{window.rows[1]}, "
            f"columns {window.cols[0]}-{window.cols[1]}; {bounds} in the scene's CRS): "
            f"{error}"
        )
        failure.__cause__ = error
        return failure


class _Census:
    """Who is there, and who was: a lost worker's tasks are done again in silence."""

    def __init__(self, workers: Workforce) -> None:
        self._workers, self._there = workers, set(workers.members)
        self._looked, self._warned = monotonic(), list[str]()

    @property
    def count(self) -> int:
        """How many there were when it was last looked."""
        return len(self._there)

    def lost(self) -> tuple[str, ...]:
        """Say which workers went away since the beginning, a sentence each."""
        if monotonic() - self._looked >= _LOOK_S:
            self.look()
        return tuple(self._warned)

    def look(self) -> None:
        """See who is there now."""
        now = set(self._workers.members)
        self._warned += [
            f"worker {each} was lost{self._why(each)}; what it was about is done "
            f"again by the others"
            for each in sorted(self._there - now)
        ]
        self._there, self._looked = now, monotonic()

    def _why(self, worker: str) -> str:
        fate = self._workers.fate(worker)
        return f" ({fate})" if fate else ""


def _next_results(
    results: SimpleQueue[Future[Any]], workers: Workforce, way: Passage
) -> list[Future[Any]]:
    """Wait for a task to end, as long as a worker could end it; take all that have."""
    while True:
        try:
            ended = [results.get(timeout=_PATIENCE_S)]
        except Empty:
            way.go_on()
            if not workers.someone():
                raise workers.no_worker() from None
        else:
            return ended + [results.get() for _ in range(results.qsize())]


def _result(future: Future[Any], workers: Workforce) -> Any:  # noqa: ANN401  # any task's
    """Fetch what a task gave; where its worker died with it, another does it anew."""
    while True:
        try:
            return future.result(timeout=_PATIENCE_S)
        except TimeoutError:
            if future.status == "error":  # the task's own
                raise
            if not workers.someone():
                raise CancelledError from None


def _what_lasts(plan: Plan, journal: Journal) -> _Finished:
    """Read the journal, and count as unfinished each task whose files did not last.

    A merged seam's partials are gone, so where its part is lost, the blocks that
    share it are done anew. Files that nothing counts any more are removed.
    """
    done, lasts = _what_is_noted(plan, journal), journal.store.survey()
    lost, used = set[str](), Names()
    for entry in journal.entries():
        late = set(done.keep_partials(entry))
        for receipt in entry.receipts:
            if receipt in late:
                continue
            used.add(receipt.file)
            if lasts(receipt):
                continue
            piece, sharer = piece_of(receipt.name)
            sharers = plan.sharers(piece) if sharer is None else []
            lost.update((entry.task, *map(task_name, sharers)))
    if lost:
        journal.forget(lost)
        return _what_lasts(plan, journal)
    journal.store.sweep(used)
    return done


def _what_is_noted(plan: Plan, journal: Journal) -> _Finished:
    """Read the journal; forget what no task of the plan can have left.

    A damaged line may say anything.
    """
    done, strange = _Finished(plan), set[str]()
    for entry in journal.entries():
        if _can_be_of(plan, entry):
            done.add(entry)
        else:
            strange.add(entry.task)
    if strange:
        journal.forget(strange)
        return _what_is_noted(plan, journal)
    return done


def _can_be_of(plan: Plan, entry: Entry) -> bool:
    kind, row, col = entry.task.split()
    try:
        named = [piece_of(receipt.name) for receipt in entry.receipts]
    except ValueError:
        return False
    kinds: dict[str, type[Block | Piece]] = {"block": Block, "seam": Piece}
    units = [unit for pair in named for unit in pair if unit is not None]
    return kind in kinds and all(
        _has(plan, unit) for unit in (kinds[kind](int(row), int(col)), *units)
    )


def _has(plan: Plan, unit: Block | Piece) -> bool:
    if isinstance(unit, Block):
        return unit in plan.blocks
    rows, cols = plan.lattice.rows.blocks, plan.lattice.cols.blocks
    return unit.row < 2 * rows - 1 and unit.col < 2 * cols - 1
