"""Whether polygons are still valid once their vertices have been rounded.

GEOS can say it of any polygon, and takes three minutes for a sea with a million
islands. These polygons were valid before, and each vertex has moved by a hair: they are
valid still if no two sides meet but at the vertices that they had in common before, and
none has changed sides with another around such a vertex. That is looked for here, in
whole numbers; GEOS is asked where something is found.

All of it is in one file because it is compiled as one: see `jit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST = 1 << 25
"""How long a side may be along an axis: of those that are shorter all products are
whole numbers that float64 can hold."""
_ALL_BUT_STRAIGHT = 1e-12
"""The share of the products in a difference that may be their rounding, where they are
of coordinates that are no whole numbers."""


@kernel
def find_doubtful(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    rings: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Find the polygons that rounding may have broken, and perhaps more than those.

    Args:
        before: Vertices of valid polygons or multipolygons, shape ``(vertex, 2)``. Of
            each ring the last vertex is the first.
        after: What became of them: whole numbers.
        rings: Where the vertices of each ring begin, and the end of the last.
        rows: Where the rings of each polygon or multipolygon begin, and the end.

    """
    doubtful = np.zeros(len(rows) - 1, np.bool_)
    for row in range(len(rows) - 1):
        sides = _list_sides(rings, rows[row], rows[row + 1])
        doubtful[row] = _is_doubtful(before, after, sides)
    return doubtful


@kernel
def _list_sides(rings: NDArray[np.int64], first: int, stop: int) -> NDArray[np.int32]:
    """List the first vertex of each side of some rings."""
    count = 0
    for ring in range(first, stop):
        count += max(rings[ring + 1] - rings[ring] - 1, 0)
    sides = np.empty(count, np.int32)
    count = 0
    for ring in range(first, stop):
        for vertex in range(rings[ring], rings[ring + 1] - 1):
            sides[count] = vertex
            count += 1
    return sides


@kernel
def _is_doubtful(
    before: NDArray[np.float64], after: NDArray[np.float64], sides: NDArray[np.int32]
) -> bool:
    """Return whether two sides may meet that did not, or one is none any more.

    The polygon is cut into bands about as high as a side.
    """
    if len(sides) == 0:
        return False
    bottom, top, climbed = after[sides[0], 1], after[sides[0], 1], 0.0
    for side in sides:
        across = abs(after[side + 1, 0] - after[side, 0])
        up = abs(after[side + 1, 1] - after[side, 1])
        if across + up == 0 or max(across, up) > _LONGEST:
            return True
        climbed += up
        bottom, top = min(bottom, after[side, 1]), max(top, after[side, 1])
    height = max(climbed / len(sides), (top - bottom) / len(sides), 1.0)
    ends, listed = _sort_into_bands(after, sides, bottom, height, top)
    for band in range(len(ends) - 1):
        if _is_entangled(before, after, listed[ends[band] : ends[band + 1]]):
            return True
    return False


@kernel
def _is_entangled(
    before: NDArray[np.float64], after: NDArray[np.float64], sides: NDArray[np.int32]
) -> bool:
    """Compare the sides of a band with those that begin, on the left, before they end.

    So each is compared with few, and with all that it may meet.
    """
    left = np.empty(len(sides), np.float64)
    for k in range(len(sides)):
        left[k] = min(after[sides[k], 0], after[sides[k] + 1, 0])
    order = np.argsort(left)
    for k in range(len(sides)):
        one = sides[order[k]]
        right = max(after[one, 0], after[one + 1, 0])
        for other in range(k + 1, len(sides)):
            if left[order[other]] > right:
                break
            if _have_met(before, after, one, sides[order[other]]):
                return True
    return False


@kernel
def _sort_into_bands(
    after: NDArray[np.float64],
    sides: NDArray[np.int32],
    bottom: float,
    height: float,
    top: float,
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """List the sides of each band, and where those of each begin."""
    ends = np.zeros(int((top - bottom) / height) + 2, np.int64)
    for side in sides:
        low, high = _bands_of(after, side, bottom, height)
        for band in range(low, high + 1):
            ends[band + 1] += 1
    for band in range(len(ends) - 1):
        ends[band + 1] += ends[band]
    listed, places = np.empty(ends[-1], np.int32), ends.copy()
    for side in sides:
        low, high = _bands_of(after, side, bottom, height)
        for band in range(low, high + 1):
            listed[places[band]] = side
            places[band] += 1
    return ends, listed


@kernel
def _bands_of(
    after: NDArray[np.float64], side: int, bottom: float, height: float
) -> tuple[int, int]:
    """Give the first and the last band that a side reaches."""
    one, other = after[side, 1], after[side + 1, 1]
    low, high = min(one, other) - bottom, max(one, other) - bottom
    return int(low / height), int(high / height)


@kernel
def _have_met(
    before: NDArray[np.float64], after: NDArray[np.float64], one: int, other: int
) -> bool:
    """Return whether two sides meet that did not, or have changed places."""
    shared = 0
    for a in range(one, one + 2):
        for b in range(other, other + 2):
            together = before[a, 0] == before[b, 0] and before[a, 1] == before[b, 1]
            if together:
                shared += 1
                near_a, near_b = 2 * one + 1 - a, 2 * other + 1 - b
                if _changed_places(before, after, a, near_a, near_b):
                    return True
            elif after[a, 0] == after[b, 0] and after[a, 1] == after[b, 1]:
                return True
    return shared == 0 and _meet(after, one, other)


@kernel
def _changed_places(
    before: NDArray[np.float64], after: NDArray[np.float64], at: int, a: int, b: int
) -> bool:
    """Return whether the sides to two vertices changed places around a third.

    Where the angle between them is not small they cannot have.
    """
    if not _is_sharp(before, at, a, b) and not _is_sharp(after, at, a, b):
        return False
    was = _turn(before, at, a, b, _ALL_BUT_STRAIGHT)
    now = _turn(after, at, a, b, 0.0)
    return was == 0 or now == 0 or was != now


@kernel
def _is_sharp(points: NDArray[np.float64], at: int, a: int, b: int) -> bool:
    """Return whether the angle between the ways to two vertices is less than right."""
    along = (points[a, 0] - points[at, 0]) * (points[b, 0] - points[at, 0])
    up = (points[a, 1] - points[at, 1]) * (points[b, 1] - points[at, 1])
    return bool(along + up > 0)


@kernel
def _turn(points: NDArray[np.float64], at: int, a: int, b: int, rounding: float) -> int:
    """Say on which side of the way to one vertex another lies: 1, -1, or 0 on it."""
    left = (points[a, 0] - points[at, 0]) * (points[b, 1] - points[at, 1])
    right = (points[a, 1] - points[at, 1]) * (points[b, 0] - points[at, 0])
    if abs(left - right) <= rounding * (abs(left) + abs(right)):
        return 0
    return 1 if left > right else -1


@kernel
def _meet(after: NDArray[np.float64], one: int, other: int) -> bool:
    """Return whether two sides without a common vertex touch or cross."""
    turns = np.empty(4, np.int64)
    for k in range(2):
        side, ends = (one, other) if k == 0 else (other, one)
        for end in range(2):
            turn = _turn(after, side, side + 1, ends + end, 0.0)
            if turn == 0 and _is_in_box(after, side, ends + end):
                return True
            turns[2 * k + end] = turn
    return bool(turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0)


@kernel
def _is_in_box(points: NDArray[np.float64], side: int, vertex: int) -> bool:
    """Return whether a vertex lies in the box around a side."""
    for axis in range(2):
        one, other = points[side, axis], points[side + 1, axis]
        if not min(one, other) <= points[vertex, axis] <= max(one, other):
            return False
    return True
