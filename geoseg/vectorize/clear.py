"""Lines moved where the way is clear: straightened, or their corners cut.

A stretch of an arc may be replaced by the straight line between its ends if no
vertex of any other stretch lies between the two, nor on the straight line. Then
nothing is crossed, whatever the other stretches are replaced by, and nothing
changes sides: not the island in a bay that is cut off either. (A line that
crosses the straight one must leave the space between again. It cannot cross the
straight line twice nor the stretch at all, so it has a vertex in there.) What
this does not see are two arcs that both become the same straight line; who
straightens has to look for those.

What is clear is decided in whole numbers, so there is no doubt.

All of it is in one file because it is compiled as one: see `jit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDS = 2
"""The vertices of a straight line."""

QUARTERS = 4
"""A corner is cut a quarter of the way to its neighbours."""


@kernel
def index_vertices(
    vertices: NDArray[np.int32], height: int, columns: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Sort vertices by row and then column, to find those of a rectangle.

    Args:
        vertices: Rows, 0 to ``height``, and columns, shape ``(vertex, 2)``.
        height: The highest row.
        columns: Filled with the columns, sorted within each row.

    Returns:
        Where the columns of each row begin, shape ``(height + 2,)``.

    """
    starts = _count_up(vertices[:, 0], height)
    places = starts.copy()
    for k in range(len(vertices)):
        row = vertices[k, 0]
        columns[places[row]] = vertices[k, 1]
        places[row] += 1
    for row in range(height + 1):
        columns[starts[row] : starts[row + 1]].sort()
    return starts


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
    """Return whether no other vertex is between a line and the chord of its ends.

    Args:
        line: Rows and columns of the stretch, shape ``(vertex, 2)``.
        columns: The columns of all vertices, as `index_vertices` sorts them.
        starts: Where those of each row begin.

    """
    top = bottom = line[0, 0]
    left = right = line[0, 1]
    for k in range(1, len(line)):
        row, col = line[k, 0], line[k, 1]
        top, bottom = min(top, row), max(bottom, row)
        left, right = min(left, col), max(right, col)
    end = len(line) - 1
    if line[0, 0] != line[end, 0] and line[0, 1] != line[end, 1]:
        # The rectangle's sides hold nothing of others: what is between the line
        # and a slanted chord reaches them at vertices and sides of the line only.
        top, bottom, left, right = top + 1, bottom - 1, left + 1, right - 1
    for row in range(top, bottom + 1):
        stop = starts[row + 1]
        for k in range(_find_position(columns, starts[row], stop, left), stop):
            if columns[k] > right:
                break
            if _is_between(line, row, columns[k]):
                return False
    return True


@kernel
def _find_position(
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
    """Return whether a vertex of others is between a line and its chord, or on it.

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


@kernel
def straighten(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measures: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> None:
    """Choose the vertices that arcs keep.

    Args:
        vertices: Rows and columns of vertices.
        offsets: Where each arc's begin, of some arcs that follow each other.
        index: The columns of all vertices by row, and where each row's begin.
        measures: For each arc the length of a step down and of one to the right, and
            the square of the tolerance, shape ``(arc, 3)``.
        keep: Set for the vertices that are kept.

    """
    waiting = np.empty(_longest(offsets[:-1], offsets[1:]), np.int64)
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1] - 1
        keep[first] = keep[last] = True
        measure = measures[arc, 0], measures[arc, 1], measures[arc, 2]
        if (
            vertices[first, 0] == vertices[last, 0]
            and vertices[first, 1] == vertices[last, 1]
        ):
            _pin_loop(vertices, (first, last), index, measure, keep, waiting)
        else:
            _straighten_one(vertices, (first, last), index, measure, keep, waiting)


@kernel
def _longest(firsts: NDArray[np.int64], stops: NDArray[np.int64]) -> int:
    """Count the vertices of the longest arc."""
    longest = 0
    for arc in range(len(firsts)):
        longest = max(longest, stops[arc] - firsts[arc])
    return longest


@kernel
def _pin_loop(
    vertices: NDArray[np.int32],
    stretch: tuple[int, int],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
    keep: NDArray[np.bool_],
    waiting: NDArray[np.int64],
) -> None:
    """Straighten a closed arc between up to four vertices that it keeps."""
    first, last = stretch
    far, _ = _find_farthest(vertices, first, last, measure)
    for start, stop in ((first, far), (far, last)):
        keep[far] = True
        middle, distance = _find_farthest(vertices, start, stop, measure)
        if distance > 0:
            keep[middle] = True
            _straighten_one(vertices, (start, middle), index, measure, keep, waiting)
            _straighten_one(vertices, (middle, stop), index, measure, keep, waiting)


@kernel
def divide(
    vertices: NDArray[np.int32],
    stretches: NDArray[np.int64],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measures: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> None:
    """Divide arcs at their farthest vertices, and straighten both parts.

    Args:
        vertices: Rows and columns of vertices.
        stretches: First vertices of the arcs and those after the last ones.
        index: As for `straighten`.
        measures: As for `straighten`.
        keep: True for the vertices that are kept; changed.

    """
    waiting = np.empty(_longest(stretches[0], stretches[1]), np.int64)
    for arc in range(stretches.shape[1]):
        first, last = stretches[0, arc], stretches[1, arc] - 1
        measure = measures[arc, 0], measures[arc, 1], measures[arc, 2]
        far, _ = _find_farthest(vertices, first, last, measure)
        keep[far] = True
        _straighten_one(vertices, (first, far), index, measure, keep, waiting)
        _straighten_one(vertices, (far, last), index, measure, keep, waiting)


@kernel
def _straighten_one(
    vertices: NDArray[np.int32],
    stretch: tuple[int, int],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    measure: tuple[float, float, float],
    keep: NDArray[np.bool_],
    waiting: NDArray[np.int64],
) -> None:
    """Mark the vertices that a stretch between two kept ones must keep too.

    What comes after the stretch in hand waits: ends of stretches, the next last.
    """
    columns, starts = index
    first, last = stretch
    waiting[0] = last
    count = 1
    while count > 0:
        last = waiting[count - 1]
        if last - first >= ENDS:
            far, distance = _find_farthest(vertices, first, last, measure)
            if distance > measure[2] or not is_clear(
                vertices[first : last + 1], columns, starts
            ):
                keep[far] = True
                waiting[count] = far
                count += 1
                continue
        first = last
        count -= 1


@kernel
def _find_farthest(
    vertices: NDArray[np.int32],
    first: int,
    last: int,
    measure: tuple[float, float, float],
) -> tuple[int, float]:
    """Find the vertex farthest from the chord, and its squared distance.

    The first of several; where the ends are one point, the farthest from it.
    """
    down, right, _ = measure
    y, x = vertices[first, 0] * down, vertices[first, 1] * right
    along_y = vertices[last, 0] * down - y
    along_x = vertices[last, 1] * right - x
    length = along_y**2 + along_x**2
    farthest, most = first, 0.0
    for k in range(first + 1, last):
        dy, dx = vertices[k, 0] * down - y, vertices[k, 1] * right - x
        share = 0.0
        if length > 0:
            share = min(max((dy * along_y + dx * along_x) / length, 0.0), 1.0)
        distance = (dy - share * along_y) ** 2 + (dx - share * along_x) ** 2
        if distance > most:
            farthest, most = k, distance
    return farthest, most


@kernel
def cut_corners(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    following: NDArray[np.int32],
    index: tuple[NDArray[np.int32], NDArray[np.int64]],
    cut: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Cut every corner once; coordinates must be multiples of four.

    A loop that meets no other arc has a corner at its start too. The last argument is
    filled: vertices, twice as many at most, and where each arc's begin.
    """
    columns, starts = index
    out, ends = cut
    corner = np.empty((3, 2), np.int32)
    end = 0
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1] - 1
        free = following[2 * arc] == 2 * arc and following[2 * arc + 1] == 2 * arc + 1
        if not free:
            _copy(vertices, first, out, end)
            end += 1
        for k in range(first if free else first + 1, last):
            before = last - 1 if k == first else k - 1
            for axis in range(2):
                at = vertices[k, axis]
                corner[0, axis] = at + (vertices[before, axis] - at) // QUARTERS
                corner[1, axis] = at
                corner[2, axis] = at + (vertices[k + 1, axis] - at) // QUARTERS
            if is_clear(corner, columns, starts):
                _copy(corner, 0, out, end)
                _copy(corner, 2, out, end + 1)
                end += 2
            else:
                _copy(vertices, k, out, end)
                end += 1
        if free:
            _copy(out, ends[arc], out, end)
        else:
            _copy(vertices, last, out, end)
        end += 1
        ends[arc + 1] = end


@kernel
def _copy(a: NDArray[np.int32], i: int, b: NDArray[np.int32], k: int) -> None:
    """Copy row and column of vertex ``i`` of ``a`` to ``k`` of ``b``."""
    b[k, 0], b[k, 1] = a[i, 0], a[i, 1]
