"""Work: some blocks, or some seams, that a worker does in one task.

What each of them makes lies together in two files of the task, however many they are:
parts, which stay to the end, and partials, which go once their seams are merged.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from geoseg.geo.tiling import Block
from geoseg.progress import Lap
from geoseg.run.job import Done
from geoseg.run.metrics import count_done
from geoseg.run.parts import is_partial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.geo.tiling import Piece
    from geoseg.run.job import Job, Made
    from geoseg.run.journal.store import Receipt, Store

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of some work."""

    done: tuple[Done, ...]
    """What its first units left, one at least: all, but for what comes after one that
    failed."""
    seconds: float
    """What they took."""


def do_blocks(job: Job, blocks: Sequence[Block], timed: bool) -> Ended:  # noqa: FBT001  # dask passes no keywords
    """Do blocks, on a worker; their times go home where they are wanted."""
    return _do(job, blocks, map(job.do_block, blocks), timed=timed)


def merge_seams(
    job: Job,
    seams: Sequence[tuple[Piece, Sequence[Receipt]]],
    timed: bool,  # noqa: FBT001  # the same
) -> Ended:
    """Merge seams, on a worker."""
    merged = (job.merge_seam(piece, partials) for piece, partials in seams)
    return _do(job, [piece for piece, _ in seams], merged, timed=timed)


def task_name(unit: Block | Piece) -> str:
    """Name a block or a seam in the journal."""
    kind = "block" if isinstance(unit, Block) else "seam"
    return f"{kind} {unit.row} {unit.col}"


def _do(
    job: Job, units: Sequence[Block | Piece], results: Iterator[Made], *, timed: bool
) -> Ended:
    """Do one after the other, until one fails: only the first raises its error."""
    began = time.perf_counter()
    made = [next(results)]
    with suppress(Exception):  # any: it is done again, as the first of its task
        made.extend(results)
    done = _write(job.store, made)
    for unit, each in zip(units, done, strict=False):
        _LOG.debug("%s: %s", task_name(unit), each.laps)
        count_done(each, is_block=isinstance(unit, Block))
    kept = done if timed else [replace(each, laps=None) for each in done]
    return Ended(tuple(kept), time.perf_counter() - began)


def _write(store: Store, made: Sequence[Made]) -> list[Done]:
    """Write what a task made, and count to each unit its share of the time."""
    began = time.time()
    contents = {name: data for each in made for name, data in each.contents.items()}
    found: dict[str, Receipt] = {}
    for partials in (False, True):
        some = {n: d for n, d in contents.items() if is_partial(n) == partials}
        if some:
            found |= {receipt.name: receipt for receipt in store.write(some)}
    seconds, total = max(time.time() - began, 0), sum(map(len, contents.values()))
    done, written = [], 0
    for each in made:
        size = sum(map(len, each.contents.values()))
        share = Lap(
            "write", began + seconds * written / total, seconds * size / total, size
        )
        written += size
        laps = replace(each.laps, pieces=(*each.laps.pieces, share))
        receipts = tuple(found[name] for name in each.contents)
        done.append(Done(receipts, each.inferred, each.empty, laps))
    return done
