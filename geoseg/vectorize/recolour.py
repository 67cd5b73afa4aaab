"""Regions given other classes, and regions that belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA
from geoseg.vectorize.blocks import Regions
from geoseg.vectorize.regions import (
    join_at_corners,
    join_neighbours,
    number_joined,
    separate,
    take,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.network import Network

_NONE = -1


def recolour(network: Network, classes: NDArray[np.uint8], arrays: Arrays) -> Network:
    """Give regions other classes; neighbours that now agree become one region.

    Args:
        network: The regions of a map and the lines between them; used up.
        classes: The new class of each region; nodata makes it no region.
        arrays: Makes what grows with the map.

    Returns:
        The new regions, in the order of their first pixels, and all pieces of
        lines, some of which are no boundary any more.

    """
    pieces, before = network.pieces, network.regions
    numbers = separate(arrays, len(classes))
    join_neighbours(numbers, pieces.faces, with_outside(classes, arrays))
    count = number_joined(numbers)
    take(pieces.faces, numbers)
    _rub_out(pieces.spokes, pieces.faces)
    take(network.labels.numbers, numbers)
    after = Regions(
        arrays.zeros(count, np.uint8),
        *(arrays.zeros(count, np.int64) for _ in range(4)),
    )
    _sum_up(
        numbers[1:],
        (classes, before.firsts, before.pixels, before.confidence, before.sure),
        (after.classes, after.firsts, after.pixels, after.confidence, after.sure),
    )
    return replace(network, regions=after)


def group_by_corners(network: Network, arrays: Arrays) -> NDArray[np.int32]:
    """Group regions of one class that touch at corners.

    Where pixels of two classes cross, both pairs are grouped.

    Returns:
        For each face, `OUTSIDE` first, the number of its group: 0 outside, then
        1, 2, ... in the order of first pixels.

    """
    pieces, classes = network.pieces, network.regions.classes
    groups = separate(arrays, len(classes))
    values = with_outside(classes, arrays)
    join_at_corners(groups, pieces.spokes, pieces.faces, values)
    number_joined(groups)
    return groups


def with_outside(classes: NDArray[np.uint8], arrays: Arrays) -> NDArray[np.uint8]:
    """Put nodata before the classes of regions, so that faces are indices."""
    values = arrays.zeros(len(classes) + 1, np.uint8)
    values[0], values[1:] = NODATA, classes
    return values


@kernel
def _rub_out(spokes: NDArray[np.int32], faces: NDArray[np.int32]) -> None:
    """Take half-edges that are no boundary any more from the nodes they leave."""
    for node in range(len(spokes)):
        for direction in range(4):
            half = spokes[node, direction]
            if half != _NONE and faces[half] == faces[half ^ 1]:
                spokes[node, direction] = _NONE


@kernel
def _sum_up(
    numbers: NDArray[np.int32],
    before: tuple[
        NDArray[np.uint8],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
    ],
    after: tuple[
        NDArray[np.uint8],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
    ],
) -> None:
    """Sum up what is known of the regions that have become one.

    Args:
        numbers: The number of each region now, 0 of what is no region any more.
        before: The fields of `Regions`, with the classes that regions have now.
        after: The same of those that they have become; filled.

    """
    classes, firsts, pixels, confidence, sure = after
    known = 0
    for k in range(len(numbers)):
        region = numbers[k] - 1
        if region < 0:
            continue
        if region == known:  # they are numbered by their first ones
            classes[region], firsts[region] = before[0][k], before[1][k]
            known += 1
        pixels[region] += before[2][k]
        confidence[region] += before[3][k]
        sure[region] += before[4][k]
