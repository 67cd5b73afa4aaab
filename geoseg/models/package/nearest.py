"""Which of some vectors is the nearest to each of many others.

Vectors are put into boxes, first along the axes in which they differ most. Of each
other one, its distances to the boxes say which of them can hold the nearest, and those
are gone through, all vectors of a box side by side. Real pixels lie close to few of
hundreds, so that two or three boxes are looked into.

What is nearest is found in float32, how far it is in float64. Each vector is treated by
itself, with additions in one order, so that its answer is the same whatever stands
beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

Boxes = tuple[
    "NDArray[np.int64]", "NDArray[np.float32]", "NDArray[np.float32]",
    "NDArray[np.float32]",
]  # fmt: skip
"""The numbers of each box's members, these, and where it begins and ends on each axis;
shapes ``(box, member)``, ``(box, axis, member)`` and twice ``(axis, box)``."""
_BOX = 64
"""Vectors in a box at most."""
_UNROLLED = 4
"""Axes that are added up at once."""
_CHECKED = 16
"""Axes after which a box is left, where all in it are too far by these alone."""
_SLACK = np.float32(1e-4)
"""The share by which two sums of the same squares differ at most, and far less."""


class Nearest:
    """Some vectors, arranged so that the nearest of them is found soon."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Arrange vectors, shape ``(vector, axis)``; at least one, all finite."""
        self._vectors = vectors.astype(np.float64)
        axes = np.linalg.svd(self._vectors - self._vectors.mean(axis=0))[2]
        more = -len(axes) % _UNROLLED
        # What each number of a vector adds to each axis, the principal one first.
        self._axes = np.pad(axes.T, ((0, 0), (0, more))).astype(np.float32)
        turned = _turned(vectors, self._axes)
        boxes = _boxes(turned)
        self._numbers = np.stack(
            [np.concatenate([own, np.repeat(own[-1:], _BOX - len(own))])
            for own in boxes]
        )  # fmt: skip
        self._members = np.ascontiguousarray(turned[self._numbers].transpose(0, 2, 1))
        self._least = np.ascontiguousarray(self._members.min(axis=2).T)
        self._most = np.ascontiguousarray(self._members.max(axis=2).T)

    def distances(self, others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the distance of each of others, ``(vector, axis)``, to the nearest."""
        found = np.empty(len(others))
        turned = _turned(others.astype(np.float32), self._axes)
        boxes = self._numbers, self._members, self._least, self._most
        _find(turned, others, self._vectors, boxes, found)
        return found


def _boxes(vectors: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """Halve vectors where they are spread the widest until few are together."""
    waiting, done = [np.arange(len(vectors))], []
    while waiting:
        own = waiting.pop()
        if len(own) <= _BOX:
            done.append(own)
            continue
        axis = np.ptp(vectors[own], axis=0).argmax()
        own = own[np.argsort(vectors[own, axis], kind="stable")]
        waiting += np.array_split(own, 2)
    return done


def _turned(
    vectors: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    turned = np.empty((len(vectors), axes.shape[1]), np.float32)
    _turn(np.ascontiguousarray(vectors), axes, turned)
    return turned


@kernel
def _turn(
    vectors: NDArray[np.float32],
    axes: NDArray[np.float32],
    turned: NDArray[np.float32],
) -> None:
    """Give vectors along other axes, in one order of additions."""
    for row in range(len(vectors)):
        turned[row] = 0
        for column in range(len(axes)):
            value, to = vectors[row, column], axes[column]
            for axis in range(len(to)):
                turned[row, axis] += value * to[axis]


@kernel
def _find(
    turned: NDArray[np.float32],
    exact: NDArray[np.float64],
    vectors: NDArray[np.float64],
    boxes: Boxes,
    found: NDArray[np.float64],
) -> None:
    """Fill in the distance of each to the nearest of the vectors in boxes."""
    numbers, members, least, most = boxes
    bound, apart = np.empty(len(numbers), np.float32), np.empty(_BOX, np.float32)
    for row in range(len(turned)):
        _bounds(turned[row], least, most, bound)
        first = _least_of(bound)
        best, nearest = np.float32(np.inf), numbers[first, 0]
        for turn in range(-1, len(bound)):
            box = first if turn < 0 else turn
            if turn == first or not bound[box] - _SLACK * bound[box] < best:
                continue
            own = _nearest_in(turned[row], members[box], best, apart)
            if apart[own] < best:
                best, nearest = apart[own], numbers[box, own]
        total = 0.0
        for axis in range(vectors.shape[1]):
            total += (exact[row, axis] - vectors[nearest, axis]) ** 2
        found[row] = np.sqrt(total)


@kernel
def _bounds(
    vector: NDArray[np.float32],
    least: NDArray[np.float32],
    most: NDArray[np.float32],
    bound: NDArray[np.float32],
) -> None:
    """Give the square of the distance of a vector to each box, that has it or not."""
    nothing = np.float32(0)
    bound[:] = 0
    for axis in range(0, len(vector), 2):
        a, b = vector[axis], vector[axis + 1]
        low, high = least[axis], most[axis]
        lower, higher = least[axis + 1], most[axis + 1]
        for box in range(len(bound)):
            one = max(low[box] - a, nothing) + max(a - high[box], nothing)
            two = max(lower[box] - b, nothing) + max(b - higher[box], nothing)
            bound[box] += one * one + two * two


@kernel
def _nearest_in(
    vector: NDArray[np.float32],
    members: NDArray[np.float32],
    best: np.float32,
    apart: NDArray[np.float32],
) -> int:
    """Give the nearest of a box, and in `apart` the squares of its distances.

    Where none of it is nearer than the best, the squares are of some axes only.
    """
    apart[:] = 0
    for axis in range(0, len(vector), _UNROLLED):
        a, b, c, d = vector[axis], vector[axis + 1], vector[axis + 2], vector[axis + 3]
        e, f, g, h = (
            members[axis],
            members[axis + 1],
            members[axis + 2],
            members[axis + 3],
        )
        for each in range(len(apart)):
            one, two = a - e[each], b - f[each]
            three, four = c - g[each], d - h[each]
            apart[each] += (one * one + two * two) + (three * three + four * four)
        if (axis + _UNROLLED) % _CHECKED == 0:
            nearer = 0
            for each in range(len(apart)):
                nearer += apart[each] < best
            if not nearer:
                break
    return _least_of(apart)


@kernel
def _least_of(values: NDArray[np.float32]) -> int:
    """Give the number of the least; without a sign floats are in the order of bits."""
    bits = values.view(np.int32)
    least = bits[0]
    for each in range(len(bits)):
        least = min(least, bits[each])
    for each in range(len(bits)):
        if bits[each] == least:
            return each
    return 0
