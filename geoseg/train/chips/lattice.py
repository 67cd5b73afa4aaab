"""Where chips lie: a regular lattice, bent around what is held out.

In one axis, chips of 8, a held-out block and a gap of 2::

    lattice     |--a---||--b---||--c---||--d---||--e---|
    held out                    ########
    chips       |--a---|-b---|  |--c---|  |-d---||--e---|

Chips of the training ground that would come too close are moved away, by no more than
half a step, or else left out; held-out blocks have lattices of their own, from their
first corner on.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from geoseg.errors import PlanError
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.geo.splits import Split

TRAIN, VALIDATE, TEST = "train", "validate", "test"
"""The parts of a split, in the words of most who train: learned from; validated, to
choose an epoch; held out, to measure on."""


def lay(area: Window, chip: int, step: int) -> Iterator[Window]:
    """Cover a rectangle with chips, row by row; the last ones end at its edge.

    Nothing is given where it is smaller than a chip.
    """
    rows = _starts(area.rows, chip, step)
    for row, col in product(rows, _starts(area.cols, chip, step)):
        yield Window(row, col, chip, chip)


def split_chips(
    area: Window, chip: int, step: int, splits: Sequence[Split]
) -> Iterator[tuple[str, Window]]:
    """Give the chips of a scene that is split by area.

    No two chips of different parts come closer to each other than the gap, and those
    of held-out blocks show nothing else.

    Args:
        area: The whole scene.
        chip: Side of a chip in pixels.
        step: Pixels from a chip to the next.
        splits: What is held out to measure on, and what to validation, if that is, too.

    Yields:
        The part of the split and the chip, each chip once.

    """
    names = (TEST, VALIDATE)
    for index, split in enumerate(splits):
        for rows, cols in split.test_blocks():
            block = Window.between((rows.start, rows.stop), (cols.start, cols.stop))
            for window in _bent(block, chip, step, splits[:index]):
                yield names[index], window
    for window in _bent(area, chip, step, splits):
        yield TRAIN, window


def check_sides(area: Window, chip: int, overlap: int, name: str) -> None:
    """Refuse chips that no lattice can have.

    Raises:
        PlanError: A scene is smaller than a chip, or the overlap not below it.

    """
    if not 0 <= overlap < chip:
        raise PlanError(
            f"chips of {chip} pixels cannot overlap by {overlap}; give `overlap=0` to "
            f"{chip - 1}"
        )
    if min(area.height, area.width) < chip:
        raise PlanError(
            f"no chip of {chip} pixels fits into {name}, which has {area.height} x "
            f"{area.width}; take smaller chips"
        )


def _starts(edges: tuple[int, int], chip: int, step: int) -> list[int]:
    first, last = edges[0], edges[1] - chip
    if last < first:
        return []
    starts = list(range(first, last + 1, step))
    return starts if starts[-1] == last else [*starts, last]


def _bent(
    area: Window, chip: int, step: int, away: Sequence[Split]
) -> Iterator[Window]:
    """Lay chips in an area, away from what some splits hold out, each chip once."""
    seen: set[Window] = set()
    for window in lay(area, chip, step):
        near = _nearest(window, area, step // 2, away)
        if near is not None and near not in seen:
            seen.add(near)
            yield near


def _nearest(
    window: Window, area: Window, reach: int, away: Sequence[Split]
) -> Window | None:
    """Move a chip by as little as keeps all gaps; None where that is too far."""
    if _keeps_gaps(window, away):
        return window
    rows = _moves(window.rows, area.rows, reach, away)
    cols = _moves(window.cols, area.cols, reach, away)
    for down, right in sorted(
        product(rows, cols), key=lambda move: (abs(move[0]) + abs(move[1]), move)
    ):
        moved = Window(
            window.row + down, window.col + right, window.height, window.width
        )
        if _keeps_gaps(moved, away):
            return moved
    return None


def _moves(
    chip: tuple[int, int], area: tuple[int, int], reach: int, away: Sequence[Split]
) -> set[int]:
    """List the moves along an axis that may help: to just a gap from a block's edge."""
    moves = {0}
    for split in away:
        nearest = range(
            (chip[0] - reach - split.gap) // split.block,
            (chip[1] + reach + split.gap) // split.block + 2,
        )
        for edge in (number * split.block for number in nearest):
            moves |= {edge + split.gap - chip[0], edge - split.gap - chip[1]}
    inside = range(area[0] - chip[0], area[1] - chip[1] + 1)
    return {move for move in moves if abs(move) <= reach and move in inside}


def _keeps_gaps(window: Window, away: Sequence[Split]) -> bool:
    return not any(split.meets(_grown(window, split.gap)) for split in away)


def _grown(window: Window, by: int) -> Window:
    height, width = window.height + 2 * by, window.width + 2 * by
    return Window(window.row - by, window.col - by, height, width)
