"""Regions: pixels of one class that are connected through their sides.

A region is counted once and known by a label. Labels of one block are joined
with those of its neighbours by union-find on the pixels that both have read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.storage.mapped import Arrays

OUTSIDE = 0
"""The label of nodata, and of everything beyond the map."""


@kernel
def find(parents: NDArray[np.int32], label: int) -> int:
    """Find the root of a label, shortening the path on the way."""
    while parents[label] != label:
        parents[label] = parents[parents[label]]
        label = parents[label]
    return label


@kernel
def unite(parents: NDArray[np.int32], a: int, b: int) -> int:
    """Join the sets of two labels; the smaller root becomes the root of both."""
    a, b = find(parents, a), find(parents, b)
    root = min(a, b)
    parents[max(a, b)] = root
    return root


@kernel
def label_pixels(
    classes: NDArray[np.uint8], nodata: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Label the 4-connected regions of a block, run by run.

    Args:
        classes: Class ids, shape ``(y, x)``.
        nodata: The class id that is no region.

    Returns:
        Provisional labels, shape ``(y, x)``, `OUTSIDE` where nodata; and for
        each provisional label the final one, 1 to the number of regions, in
        the order of each region's first pixel.

    """
    height, width = classes.shape
    labels = np.empty((height, width), np.int32)
    parents = np.empty(height * width + 1, np.int32)
    parents[OUTSIDE] = OUTSIDE
    count = 0
    for i in range(height):
        stop = 0
        while stop < width:
            start, value = stop, classes[i, stop]
            label, above = OUTSIDE, OUTSIDE
            while stop < width and classes[i, stop] == value:
                if value != nodata and i > 0 and classes[i - 1, stop] == value:
                    up = labels[i - 1, stop]
                    if up != above:
                        above = up
                        label = unite(parents, up, up if label == OUTSIDE else label)
                stop += 1
            if value != nodata and label == OUTSIDE:
                count += 1
                label = count
                parents[label] = label
            labels[i, start:stop] = label
    numbers = parents[: count + 1].copy()
    number_joined(numbers)
    return labels, numbers


@kernel
def number_joined(parents: NDArray[np.int32]) -> int:
    """Number the regions that labels were joined to: 1, 2, ... by the lowest label.

    A root is the smallest label of its set, so it is met before the others.

    Args:
        parents: A parent of each label, none higher than it; changed to the label's
            region, `OUTSIDE` for what is joined to that.

    Returns:
        The number of regions.

    """
    count = 0
    for label in range(1, len(parents)):
        if parents[label] == label:
            count += 1
            parents[label] = count
        else:
            parents[label] = parents[parents[label]]
    return count


def separate(arrays: Arrays, count: int) -> NDArray[np.int32]:
    """Begin to join labels, 0 to ``count``: each is its own parent."""
    parents = arrays.zeros(count + 1, np.int32)
    _begin(parents)
    return parents


@kernel
def _begin(parents: NDArray[np.int32]) -> None:
    for label in range(len(parents)):
        parents[label] = label


@kernel
def take(values: NDArray[np.int32], numbers: NDArray[np.int32]) -> None:
    """Give each value the number that it has now."""
    for k in range(len(values)):
        values[k] = numbers[values[k]]


@kernel
def join_pairs(
    parents: NDArray[np.int32], a: NDArray[np.int32], b: NDArray[np.int32]
) -> None:
    """Join labels pairwise: ``a[i]`` and ``b[i]`` are the same region."""
    for i in range(len(a)):
        if a[i] != b[i]:
            unite(parents, a[i], b[i])


@kernel
def join_neighbours(
    parents: NDArray[np.int32], faces: NDArray[np.int32], classes: NDArray[np.uint8]
) -> None:
    """Join the faces on both sides of each line where they are of one class.

    Args:
        parents: What `separate` began; face ``k`` is label ``k``.
        faces: The face on the left of each half-edge.
        classes: The class of each face, nodata of what is outside.

    """
    for half in range(0, len(faces), 2):
        a, b = faces[half], faces[half + 1]
        if classes[a] == classes[b]:
            unite(parents, a, b)


@kernel
def join_at_corners(
    parents: NDArray[np.int32],
    spokes: NDArray[np.int32],
    faces: NDArray[np.int32],
    classes: NDArray[np.uint8],
) -> None:
    """Join faces of one class that touch at corners; of two pairs that cross, both.

    Args:
        parents: What `separate` began; face ``k`` is label ``k``.
        spokes: The half-edge that leaves each node in four directions, or -1.
        faces: The face on the left of each half-edge.
        classes: The class of each face, nodata of what is outside.

    """
    for node in range(len(spokes)):
        if spokes[node].min() < 0:
            continue
        for side in range(2):  # north-east and south-west, south-east and north-west
            a, b = faces[spokes[node, side]], faces[spokes[node, side + 2]]
            if classes[a] == classes[b]:
                unite(parents, a, b)
