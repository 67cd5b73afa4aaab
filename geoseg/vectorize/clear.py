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
    vertices: NDArray[np.int32], height: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Sort vertices by row and then column, to find those of a rectangle.

    Args:
        vertices: Rows, 0 to ``height``, and columns, shape ``(vertex, 2)``.
        height: The highest row.

    Returns:
        The columns, sorted within each row; and where each row's begin, shape
        ``(height + 2,)``.

    """
    starts = np.zeros(height + 2, np.int64)
    for k in range(len(vertices)):
        starts[vertices[k, 0] + 1] += 1
    for row in range(height + 1):
        starts[row + 1] += starts[row]
    places = starts.copy()
    columns = np.empty(len(vertices), np.int32)
    for k in range(len(vertices)):
        row = vertices[k, 0]
        columns[places[row]] = vertices[k, 1]
        places[row] += 1
    for row in range(height + 1):
        columns[starts[row] : starts[row + 1]].sort()
    return columns, starts


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
        row, col = line[k]
        top, bottom = min(top, row), max(bottom, row)
        left, right = min(left, col), max(right, col)
    for row in range(top, bottom + 1):
        first, stop = starts[row], starts[row + 1]
        k = first + np.searchsorted(columns[first:stop], left)
        while k < stop and columns[k] <= right:
            if _is_between(line, row, columns[k]):
                return False
            k += 1
    return True


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
