"""Regions: pixels of one class that are connected through their sides.

A region is counted once and known by a label. Labels of one block are joined
with those of its neighbours by union-find on the pixels that both have read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.kernel import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    return labels, _number_roots(parents[: count + 1])


@kernel
def _number_roots(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number the roots 1, 2, ... in order; every label takes its root's number.

    A root is the smallest label of its set, so it is met before the others.
    """
    numbers = np.zeros_like(parents)
    count = 0
    for label in range(1, len(parents)):
        if parents[label] == label:
            count += 1
            numbers[label] = count
        else:
            numbers[label] = numbers[parents[label]]
    return numbers


@kernel
def join_labels(
    count: int, a: NDArray[np.int32], b: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Join labels pairwise: ``a[i]`` and ``b[i]`` are the same region.

    Args:
        count: The highest label.
        a: Labels, 0 to ``count``.
        b: As many labels; `OUTSIDE` only where ``a`` is.

    Returns:
        For each label, 0 to ``count``, the number of its region: `OUTSIDE` for
        `OUTSIDE`, else 1, 2, ... in the order of each region's lowest label.

    """
    parents = np.arange(count + 1).astype(np.int32)
    for i in range(len(a)):
        if a[i] != b[i]:
            unite(parents, a[i], b[i])
    return _number_roots(parents)
