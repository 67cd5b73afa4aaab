"""What is in the files of a run directory: names, how it is packed, and how read.

A *part* is a finished piece of the map, a byte a pixel of each band. A *partial* is a
block's unfinished share of a piece: its mask, a byte a pixel, then its scores, four
bytes a plane and pixel.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.tiling import Block, Piece
from geoseg.storage.prefetch import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.windows import Window
    from geoseg.run.journal.journal import Entry, Journal
    from geoseg.run.journal.store import Receipt
    from geoseg.run.plan import Plan

_NAME = re.compile(r"part-(\d+)-(\d+)|partial-(\d+)-(\d+)-(\d+)-(\d+)")
_AHEAD = 3
"""Files that are read before their parts are wanted."""


def part_name(piece: Piece) -> str:
    """Name a finished piece."""
    return f"part-{piece.row}-{piece.col}"


def partial_name(piece: Piece, block: Block) -> str:
    """Name a block's share in a piece."""
    return f"partial-{piece.row}-{piece.col}-{block.row}-{block.col}"


def is_partial(name: str) -> bool:
    """Return whether a name is that of a partial, which goes once it is merged."""
    return name.startswith("partial-")


def piece_of(name: str) -> tuple[Piece, Block | None]:
    """Read the name of a part or a partial: the piece, and whose share it is.

    Example:
        >>> piece_of("part-0-1")
        (Piece(row=0, col=1), None)
        >>> piece_of(partial_name(Piece(0, 1), Block(0, 2)))
        (Piece(row=0, col=1), Block(row=0, col=2))

    Raises:
        ValueError: It is the name of neither.

    """
    known = _NAME.fullmatch(name)
    if known is None:
        raise ValueError(f"{name} names no part and no partial")
    row, col, *block = (int(number) for number in known.groups() if number)
    return Piece(row, col), Block(*block) if block else None


def pack_part(values: NDArray[np.uint8]) -> bytes:
    """Make a part's bytes of its values, shape ``(band, y, x)``."""
    return values.tobytes()


def unpack_part(data: bytes, window: Window) -> NDArray[np.uint8]:
    """Read a part's bytes, shape ``(band, y, x)`` of its window."""
    return np.frombuffer(data, np.uint8).reshape(-1, window.height, window.width)


def pack_partial(scores: NDArray[np.int32], mask: NDArray[np.bool_]) -> bytes:
    """Make a partial's bytes of scores ``(plane, y, x)`` and a mask ``(y, x)``."""
    fill = bytes(_padded(mask.size) - mask.size)
    return mask.tobytes() + fill + scores.tobytes()


def add_partials(
    shares: Sequence[bytes], window: Window
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Add the partials of a piece, one at least; each has the same mask.

    Args:
        shares: The bytes of each.
        window: The piece.

    Returns:
        Scores, shape ``(plane, y, x)``, and the mask, ``(y, x)``.

    """
    start, shape = _padded(window.pixels), (window.height, window.width)
    total = np.frombuffer(shares[0], np.int32, offset=start).copy()
    for data in shares[1:]:
        total += np.frombuffer(data, np.int32, offset=start)
    mask = np.frombuffer(shares[0], np.bool_, window.pixels).reshape(shape)
    return total.reshape(-1, *shape), mask


def _padded(size: int) -> int:
    """Round up to whole int32, which must lie at multiples of four bytes."""
    return -(-size // 4) * 4


def read_parts(
    plan: Plan,
    journal: Journal,
    *,
    within: Window | None = None,
    entries: Iterable[Sequence[Entry]] | None = None,
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Read back the finished parts of a run, each once.

    Args:
        plan: The run's plan.
        journal: The run's journal. A piece that no task finished is left out;
            `geoseg.run.engine.run` has named it.
        within: Where they are wanted, in scene pixels; parts elsewhere are not read.
        entries: The finished tasks, where they are not yet all in the journal, some at
            a time: those that are known.

    Yields:
        A part's window, in scene pixels, and its values, shape ``(band, y, x)``: which
        bands are which, see `geoseg.predict.layers.Layers.bands`. In the order in
        which they were finished; parts do not overlap.

    """

    def wanted(some: Sequence[Entry]) -> Iterator[tuple[Receipt, Window]]:
        for receipt in (receipt for entry in some for receipt in entry.receipts):
            window = _part_window(plan, receipt)
            if window and (within is None or window.intersection(within)):
                yield receipt, window

    def read(parts: Sequence[tuple[Receipt, Window]]) -> list[bytes]:
        return journal.store.read([receipt for receipt, _ in parts])

    # Those of a file together and some files at a time: each may be a call of a server.
    files = (
        tuple(parts)
        for some in (journal.batches() if entries is None else entries)
        for _, parts in groupby(wanted(some), lambda part: part[0].file)
    )
    for parts, found in read_ahead(read, files, _AHEAD):
        for (_, window), data in zip(parts, found, strict=True):
            yield window, unpack_part(data, window)


def _part_window(plan: Plan, receipt: Receipt) -> Window | None:
    """The scene pixels of a part; None of a partial."""
    piece, sharer = piece_of(receipt.name)
    return plan.output(piece) if sharer is None else None
