"""The smallest patch that is kept: smaller ones go to a neighbour.

The smallest patch goes first, to the neighbour with which it shares the longest
boundary; it takes that neighbour's class, and what of that class it touches
becomes one region with it. A merged patch that is still too small waits for its
turn. Ties go to the region whose first pixel is first, so the result depends
neither on blocks nor on the order of arcs.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.geo.legend import NODATA
from geoseg.vectorize.regions import OUTSIDE, separate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.chain import Pieces
    from geoseg.vectorize.network import Network

_NONE = -1
_LARGE = 1 << 22
"""The size of patches so large that few are too small."""
_THOUSANDTHS = 1000
"""Lengths are whole thousandths of a pixel's shorter side: sums without order."""


def sieve(
    network: Network,
    geobox: GeoBox,
    measured: tuple[NDArray[np.int64], float],
    groups: NDArray[np.int32],
    arrays: Arrays,
) -> NDArray[np.uint8]:
    """Find the class of every region after merging those that are too small.

    Args:
        network: The map's regions and the pieces of lines between them.
        geobox: The map's plane; the sides of its pixels may differ.
        measured: The size of each region, and from which one a patch is kept: pixels,
            or whole parts of an area.
        groups: The patch to which each face belongs, `OUTSIDE` first: its own,
            or one that several regions of a class make together.
        arrays: Makes what grows with the map.

    Returns:
        The class of each region; nodata if the patch had no other neighbour.

    """
    of_regions, minimum = measured
    count = int(groups.max(initial=0)) + 1
    sizes, classes = arrays.zeros(count, np.int64), arrays.zeros(count, np.uint8)
    classes[:] = NODATA
    _group(groups, of_regions, network.regions.classes, sizes, classes)
    of_pieces = network.pieces.faces
    faces = arrays.zeros(len(of_pieces), np.int32)
    take_from(groups, of_pieces, faces)
    lengths = _lengths(network.pieces, geobox, arrays)
    heads, tails = (arrays.zeros(count, np.int32) for _ in range(2))
    chains = heads, tails, arrays.zeros(len(faces), np.int32)
    _list_half_edges(faces, *chains)
    queue = _in_order(sizes, minimum, arrays)
    parents = separate(arrays, count - 1)
    found = arrays.zeros(count, np.int64), arrays.zeros(count, np.int32)
    _merge((faces, lengths), (sizes, classes, parents), chains, queue, found, minimum)
    merged = arrays.zeros(len(groups) - 1, np.uint8)
    _classes_of(groups, parents, classes, merged)
    return merged


@kernel
def _group(
    groups: NDArray[np.int32],
    of_regions: NDArray[np.int64],
    region_classes: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    classes: NDArray[np.uint8],
) -> None:
    """Sum up the size of each patch, and take its class; both are filled."""
    for region in range(len(of_regions)):
        sizes[groups[region + 1]] += of_regions[region]
        classes[groups[region + 1]] = region_classes[region]


@kernel
def take_from(
    numbers: NDArray[np.int32], values: NDArray[np.int32], taken: NDArray[np.int32]
) -> None:
    """Look up the number of each value."""
    for k in range(len(values)):
        taken[k] = numbers[values[k]]


@kernel
def _classes_of(
    groups: NDArray[np.int32],
    parents: NDArray[np.int32],
    classes: NDArray[np.uint8],
    merged: NDArray[np.uint8],
) -> None:
    """Give each region the class of the patch into which its own went."""
    for region in range(len(merged)):
        merged[region] = classes[parents[groups[region + 1]]]


def _in_order(
    sizes: NDArray[np.int64], minimum: float, arrays: Arrays
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """List the patches that are too small, the smallest first, and their sizes."""
    ends = np.zeros(int(min(np.ceil(minimum), _LARGE)) + 2, np.int64)
    _count_small(sizes, minimum, ends)
    count = int(ends[-1])
    queue, of_each = arrays.zeros(count, np.int32), arrays.zeros(count, np.int64)
    _list_small(sizes, minimum, ends, queue, of_each)
    return queue, of_each


@kernel
def _count_small(
    sizes: NDArray[np.int64], minimum: float, ends: NDArray[np.int64]
) -> None:
    """Count the patches of each size, and where in the order they begin."""
    last = len(ends) - 2
    for patch in range(1, len(sizes)):
        if sizes[patch] < minimum:
            ends[min(sizes[patch], last) + 1] += 1
    for size in range(last + 1):
        ends[size + 1] += ends[size]


@kernel
def _list_small(
    sizes: NDArray[np.int64],
    minimum: float,
    ends: NDArray[np.int64],
    queue: NDArray[np.int32],
    of_each: NDArray[np.int64],
) -> None:
    """Write patches by size, and of one size in their order.

    The last are those that are large, which are few: they are sorted.
    """
    last = len(ends) - 2
    places = ends.copy()
    for patch in range(1, len(sizes)):
        if sizes[patch] < minimum:
            size = min(sizes[patch], last)
            queue[places[size]] = patch
            places[size] += 1
    large = queue[ends[last] :].copy()
    order = np.argsort(sizes[large], kind="mergesort")
    for k in range(len(large)):
        queue[ends[last] + k] = large[order[k]]
    for k in range(len(queue)):
        of_each[k] = sizes[queue[k]]


def _lengths(pieces: Pieces, geobox: GeoBox, arrays: Arrays) -> NDArray[np.int64]:
    """Measure each piece along pixel sides, in `_THOUSANDTHS`."""
    t = geobox.transform
    sides = np.hypot([t.b, t.a], [t.e, t.d])  # of a step down, of a step right
    scale = np.rint(_THOUSANDTHS * sides / sides.min()).astype(np.int64)
    lengths = arrays.zeros(len(pieces.offsets) - 1, np.int64)
    _measure(pieces.vertices, pieces.offsets, scale, lengths)
    return lengths


@kernel
def _measure(
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    scale: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    """Add up the steps of each piece: so much for one down, and for one right."""
    for piece in range(len(lengths)):
        for k in range(offsets[piece] + 1, offsets[piece + 1]):
            down = abs(vertices[k, 0] - vertices[k - 1, 0])
            right = abs(vertices[k, 1] - vertices[k - 1, 1])
            lengths[piece] += down * scale[0] + right * scale[1]


@kernel
def _merge(
    pieces: tuple[NDArray[np.int32], NDArray[np.int64]],
    patches: tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int32]],
    chains: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    queue: tuple[NDArray[np.int32], NDArray[np.int64]],
    found: tuple[NDArray[np.int64], NDArray[np.int32]],
    minimum: float,
) -> None:
    """Merge small regions.

    Args:
        pieces: The region left of each half-edge, and the length of each piece.
        patches: The size of each region, `OUTSIDE` first; its class; and the region
            into which it goes, itself if it is kept. All change.
        chains: What `_list_half_edges` fills.
        queue: What `_in_order` gives.
        found: Zeros for each region, to work with.
        minimum: The size from which a region is kept.

    """
    sizes, classes, parents = patches
    shared, neighbours = found
    # Of what has grown there is little at a time; all others wait in their order.
    grown = [(np.int64(0), np.int64(0))]
    heappop(grown)
    position = 0
    while True:
        region, position = _next(queue, position, grown, sizes, parents)
        if region == OUTSIDE:
            break
        count = _find_neighbours(region, pieces, chains, parents, found)
        receiver = _choose(neighbours[:count], shared)
        if receiver == OUTSIDE:
            parents[region] = OUTSIDE
        else:
            value = classes[receiver]
            root = _absorb(parents, sizes, chains, region, receiver)
            for other in neighbours[:count]:
                if other not in (receiver, OUTSIDE) and classes[other] == value:
                    root = _absorb(parents, sizes, chains, root, other)
            classes[root] = value
            if sizes[root] < minimum:
                heappush(grown, (sizes[root], np.int64(root)))
        shared[neighbours[:count]] = 0
    for region in range(len(parents)):
        parents[region] = _find_receiver(parents, region)


@kernel
def _next(
    queue: tuple[NDArray[np.int32], NDArray[np.int64]],
    position: int,
    grown: list[tuple[np.int64, np.int64]],
    sizes: NDArray[np.int64],
    parents: NDArray[np.int32],
) -> tuple[int, int]:
    """Give the region whose turn it is, and how much of the queue is over.

    The smallest of those that wait and of those that have grown; what was merged, or
    has grown since, is passed over. `OUTSIDE` at the end.
    """
    waiting, sizes_then = queue
    while position < len(waiting):
        region = waiting[position]
        if parents[region] == region and sizes[region] == sizes_then[position]:
            break
        position += 1
    while len(grown) > 0:
        size, region = grown[0]
        if parents[region] == region and sizes[region] == size:
            break
        heappop(grown)
    left = position < len(waiting)
    if len(grown) > 0 and not (
        left and (sizes_then[position], np.int64(waiting[position])) < grown[0]
    ):
        return int(heappop(grown)[1]), position
    if left:
        return int(waiting[position]), position + 1
    return OUTSIDE, position


@kernel
def _find_receiver(parents: NDArray[np.int32], region: int) -> int:
    """Find the region into which one went in the end."""
    while parents[region] != region:
        parents[region] = parents[parents[region]]
        region = parents[region]
    return region


@kernel
def _list_half_edges(
    faces: NDArray[np.int32],
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    nexts: NDArray[np.int32],
) -> None:
    """List the half-edges of each region as a chain.

    The last three are filled: the first and last half-edge of each region, and the
    next of each half-edge; -1 for none.
    """
    heads[:] = _NONE
    tails[:] = _NONE
    nexts[:] = _NONE
    for half in range(len(faces)):
        face = faces[half]
        if heads[face] == _NONE:
            heads[face] = half
        else:
            nexts[tails[face]] = half
        tails[face] = half


@kernel
def _find_neighbours(
    region: int,
    pieces: tuple[NDArray[np.int32], NDArray[np.int64]],
    chains: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    parents: NDArray[np.int32],
    found: tuple[NDArray[np.int64], NDArray[np.int32]],
) -> int:
    """Add up the boundary that a region shares with each neighbour.

    Args:
        region: The region.
        pieces: Faces of half-edges and lengths of pieces.
        chains: What `_list_half_edges` fills.
        parents: The region into which each one went.
        found: Filled: the length shared with each region, and the neighbours.

    Returns:
        The number of neighbours.

    """
    faces, lengths = pieces
    heads, _, nexts = chains
    shared, neighbours = found
    count = 0
    half = heads[region]
    while half != _NONE:
        other = _find_receiver(parents, faces[half ^ 1])
        if other != region:
            if shared[other] == 0:
                neighbours[count] = other
                count += 1
            shared[other] += lengths[half >> 1]
        half = nexts[half]
    return count


@kernel
def _choose(neighbours: NDArray[np.int32], shared: NDArray[np.int64]) -> int:
    """Choose the neighbour with the longest boundary; outside only if alone."""
    best = OUTSIDE
    for other in neighbours:
        if other == OUTSIDE:
            continue
        longer = shared[other] > shared[best]
        tie = shared[other] == shared[best] and other < best
        if best == OUTSIDE or longer or tie:
            best = other
    return best


@kernel
def _absorb(
    parents: NDArray[np.int32],
    sizes: NDArray[np.int64],
    chains: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    a: int,
    b: int,
) -> int:
    """Make one region of two; the one whose first pixel is first lends its number."""
    heads, tails, nexts = chains
    root, other = min(a, b), max(a, b)
    parents[other] = root
    sizes[root] += sizes[other]
    nexts[tails[root]] = heads[other]
    tails[root] = tails[other]
    return root
