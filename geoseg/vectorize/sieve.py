"""The smallest patch that is kept: smaller ones go to a neighbour.

The smallest patch goes first, to the neighbour with which it shares the longest
boundary; it takes that neighbour's class, and what of that class it touches
becomes one region with it. A merged patch that is still too small waits for its
turn. Ties go to the region whose first pixel is first, so the result depends
neither on blocks nor on the order of arcs.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.kernel import kernel
from geoseg.geo.legend import NODATA
from geoseg.vectorize.regions import OUTSIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.vectorize.chain import Pieces
    from geoseg.vectorize.network import Network

_NONE = -1
_THOUSANDTHS = 1000
"""Lengths are whole thousandths of a pixel's shorter side: sums without order."""


def sieve(
    network: Network,
    geobox: GeoBox,
    measured: tuple[NDArray[np.int64], float],
    groups: NDArray[np.int32],
) -> NDArray[np.uint8]:
    """Find the class of every region after merging those that are too small.

    Args:
        network: The map's regions and the pieces of lines between them.
        geobox: The map's plane; the sides of its pixels may differ.
        measured: The size of each region, and from which one a patch is kept: pixels,
            or whole parts of an area.
        groups: The patch to which each face belongs, `OUTSIDE` first: its own,
            or one that several regions of a class make together.

    Returns:
        The class of each region; nodata if the patch had no other neighbour.

    """
    of_regions, minimum = measured
    sizes = np.zeros(groups.max(initial=0) + 1, np.int64)
    np.add.at(sizes, groups[1:], of_regions)
    classes = np.full(len(sizes), NODATA, np.uint8)
    classes[groups[1:]] = network.regions.classes
    lengths = _lengths(network.pieces, geobox)
    parents = _merge(groups[network.pieces.faces], lengths, sizes, classes, minimum)
    merged: NDArray[np.uint8] = classes[parents[groups[1:]]]
    return merged


def _lengths(pieces: Pieces, geobox: GeoBox) -> NDArray[np.int64]:
    """Measure each piece along pixel sides, in `_THOUSANDTHS`."""
    t = geobox.transform
    sides = np.hypot([t.b, t.a], [t.e, t.d])  # of a step down, of a step right
    scale = np.rint(_THOUSANDTHS * sides / sides.min()).astype(np.int64)
    return _measure(pieces.vertices, pieces.offsets, scale)


@kernel
def _measure(
    vertices: NDArray[np.int32], offsets: NDArray[np.int64], scale: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Add up the steps of each piece: so much for one down, and for one right."""
    lengths = np.zeros(len(offsets) - 1, np.int64)
    for piece in range(len(lengths)):
        for k in range(offsets[piece] + 1, offsets[piece + 1]):
            down = abs(vertices[k, 0] - vertices[k - 1, 0])
            right = abs(vertices[k, 1] - vertices[k - 1, 1])
            lengths[piece] += down * scale[0] + right * scale[1]
    return lengths


@kernel
def _merge(
    faces: NDArray[np.int32],
    lengths: NDArray[np.int64],
    sizes: NDArray[np.int64],
    classes: NDArray[np.uint8],
    minimum: float,
) -> NDArray[np.int32]:
    """Merge small regions.

    Args:
        faces: The region left of each half-edge.
        lengths: The length of each piece.
        sizes: The size of each region, `OUTSIDE` first; changed.
        classes: Class of each region, `OUTSIDE` first; changed for those that
            took in others.
        minimum: The size from which a region is kept.

    Returns:
        The region into which each one went, itself if it was kept.

    """
    parents = np.arange(len(sizes)).astype(np.int32)
    chains = _list_half_edges(faces, len(sizes))
    shared = np.zeros(len(sizes), np.int64)
    neighbours = np.empty(len(sizes), np.int32)
    queue = [
        (sizes[region], region)
        for region in range(1, len(sizes))
        if sizes[region] < minimum
    ]
    heapify(queue)
    while queue:
        size, region = heappop(queue)
        if parents[region] != region or sizes[region] != size:
            continue  # merged since it was queued
        count = _find_neighbours(
            region, (faces, lengths), chains, parents, (shared, neighbours)
        )
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
                heappush(queue, (sizes[root], root))
        shared[neighbours[:count]] = 0
    for region in range(len(parents)):
        parents[region] = _find_receiver(parents, region)
    return parents


@kernel
def _find_receiver(parents: NDArray[np.int32], region: int) -> int:
    """Find the region into which one went in the end."""
    while parents[region] != region:
        parents[region] = parents[parents[region]]
        region = parents[region]
    return region


@kernel
def _list_half_edges(
    faces: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """List the half-edges of each region as a chain.

    Returns:
        The first and last half-edge of each region, and the next of each
        half-edge; -1 for none.

    """
    heads = np.full(count, _NONE, np.int32)
    tails = np.full(count, _NONE, np.int32)
    nexts = np.full(len(faces), _NONE, np.int32)
    for half in range(len(faces)):
        face = faces[half]
        if heads[face] == _NONE:
            heads[face] = half
        else:
            nexts[tails[face]] = half
        tails[face] = half
    return heads, tails, nexts


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
        chains: What `_list_half_edges` gives.
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
