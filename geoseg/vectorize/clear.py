"""Is the way clear? What must hold for a line to be straightened.

A stretch of an arc may be replaced by the straight line between its ends if no
vertex of any other stretch lies between the two, nor on the straight line. Then
nothing is crossed, whatever the other stretches are replaced by, and nothing
changes sides: not the island in a bay that is cut off either. (A line that
crosses the straight one must leave the space between again. It cannot cross the
straight line twice nor the stretch at all, so it has a vertex in there.) What
this does not see are two arcs that both become the same straight line; who
straightens has to look for those.

Everything is in whole numbers, so there is no tolerance and no doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.vectorize.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def index_vertices(
    vertices: NDArray[np.int32], height: int, width: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Sort vertices by row and then column, to find those of a rectangle.

    Args:
        vertices: Rows, 0 to ``height``, and columns, 0 to ``width``, shape
            ``(vertex, 2)``.
        height: The highest row.
        width: The highest column.

    Returns:
        The columns, sorted within each row; and where each row's begin, shape
        ``(height + 2,)``.

    """
    column_starts = _count_up(vertices[:, 1], width)
    by_column = np.empty(len(vertices), np.int64)
    for k in range(len(vertices)):
        col = vertices[k, 1]
        by_column[column_starts[col]] = k
        column_starts[col] += 1
    starts = _count_up(vertices[:, 0], height)
    places = starts.copy()
    columns = np.empty(len(vertices), np.int32)
    for vertex in by_column:
        row = vertices[vertex, 0]
        columns[places[row]] = vertices[vertex, 1]
        places[row] += 1
    return columns, starts


@kernel
def _count_up(values: NDArray[np.int32], highest: int) -> NDArray[np.int64]:
    """Count the values below each one, from 0 to the highest and one more."""
    below = np.zeros(highest + 2, np.int64)
    for value in values:
        below[value + 1] += 1
    for value in range(highest + 1):
        below[value + 1] += below[value]
    return below


@kernel
def is_clear(
    line: NDArray[np.int32],
    columns: NDArray[np.int32],
    starts: NDArray[np.int64],
) -> bool:
    """Tell whether no other vertex is between a line and the chord of its ends.

    Args:
        line: Rows and columns of the stretch, shape ``(vertex, 2)``.
        columns: The columns of all vertices, as `index_vertices` gives them.
        starts: Where those of each row begin.

    """
    top = bottom = line[0, 0]
    left = right = line[0, 1]
    for k in range(1, len(line)):
        row, col = line[k, 0], line[k, 1]
        top, bottom = min(top, row), max(bottom, row)
        left, right = min(left, col), max(right, col)
    for row in range(top, bottom + 1):
        stop = starts[row + 1]
        for k in range(_find_place(columns, starts[row], stop, left), stop):
            if columns[k] > right:
                break
            if _is_between(line, row, columns[k]):
                return False
    return True


@kernel
def _find_place(
    columns: NDArray[np.int32], first: np.int64, stop: np.int64, least: np.int32
) -> int:
    """Find the first of sorted columns, from ``first`` on, that is not less."""
    while first < stop:
        middle = (first + stop) // 2
        if columns[middle] < least:
            first = middle + 1
        else:
            stop = middle
    return int(first)


@kernel
def _is_between(line: NDArray[np.int32], row: int, col: int) -> bool:
    """Tell whether a vertex of others is between a line and its chord, or on it.

    Between is where the closed ring of both winds around. A vertex of the line
    itself is not between: no other line passes there but at the ends.
    """
    winding = 0
    end = len(line) - 1
    row_a, col_a = np.int64(line[end, 0]), np.int64(line[end, 1])
    on_chord = False
    for k in range(len(line)):
        row_b, col_b = np.int64(line[k, 0]), np.int64(line[k, 1])
        if row_b == row and col_b == col:
            return False
        side = (row_b - row_a) * (col - col_a) - (col_b - col_a) * (row - row_a)
        if k == 0 and side == 0:  # the chord comes first, from the end to the start
            within = min(row_a, row_b) <= row <= max(row_a, row_b)
            on_chord = bool(within and min(col_a, col_b) <= col <= max(col_a, col_b))
        if row_a <= row < row_b and side > 0:
            winding += 1
        elif row_b <= row < row_a and side < 0:
            winding -= 1
        row_a, col_a = row_b, col_b
    return on_chord or winding != 0
