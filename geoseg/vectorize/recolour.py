"""Regions given other classes, and regions that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA
from geoseg.vectorize.blocks import Regions
from geoseg.vectorize.network import Network
from geoseg.vectorize.regions import join_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NONE = -1


def recolour(network: Network, classes: NDArray[np.uint8]) -> Network:
    """Give regions other classes; neighbours that now agree become one region.

    Args:
        network: The regions of a map and the lines between them.
        classes: The new class of each region; nodata makes it no region.

    Returns:
        The new regions, in the order of their first pixels, and all pieces of
        lines, some of which are no boundary any more.

    """
    pieces, regions = network.pieces, network.regions
    values = _with_outside(classes)
    left, right = pieces.faces[0::2], pieces.faces[1::2]
    agree = values[left] == values[right]
    numbers = join_labels(len(classes), left[agree], right[agree])
    faces = numbers[pieces.faces]
    gone = np.repeat(faces[0::2] == faces[1::2], 2)
    spokes = pieces.spokes.copy()
    spokes[(spokes != _NONE) & gone[spokes]] = _NONE
    return Network(
        _join_tables(regions, classes, numbers[1:]),
        pieces._replace(faces=faces, spokes=spokes),
        tuple(numbers[labels] for labels in network.labels),
    )


def _join_tables(
    regions: Regions, classes: NDArray[np.uint8], numbers: NDArray[np.int32]
) -> Regions:
    """Sum up what is known of the regions that have become one."""
    found, first = np.unique(numbers, return_index=True)
    first = first[found > 0]
    sums = np.zeros((3, len(first) + 1), np.int64)
    parts = regions.pixels, regions.confidence, regions.sure
    for total, part in zip(sums, parts, strict=True):
        np.add.at(total, numbers, part)
    return Regions(classes[first], regions.firsts[first], *sums[:, 1:])


def group_by_corners(network: Network) -> NDArray[np.int32]:
    """Group regions of one class that touch at corners.

    Where pixels of two classes cross, both pairs are grouped.

    Returns:
        For each face, `OUTSIDE` first, the number of its group: 0 outside, then
        1, 2, ... in the order of first pixels.

    """
    crossing = network.pieces.spokes[(network.pieces.spokes != _NONE).all(axis=1)]
    faces = network.pieces.faces[crossing]  # (node, NE SE SW NW): left of each spoke
    a, b = faces[:, :2].ravel(), faces[:, 2:].ravel()
    values = _with_outside(network.regions.classes)
    agree = values[a] == values[b]
    return join_labels(len(network.regions.classes), a[agree], b[agree])


def _with_outside(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put nodata before the classes of regions, so that faces are indices."""
    return np.concatenate([np.array([NODATA], np.uint8), classes])
