"""Arcs: the lines between regions, traced from node to node.

The lines run along pixel sides, from pixel corner to pixel corner. Corner
``(i, j)`` of a block is where four of its pixels meet::

    pixel (i, j)     | pixel (i, j + 1)           3 north
    ----------- corner (i, j) ---------     2 west  +  0 east
    pixel (i + 1, j) | pixel (i + 1, j + 1)       1 south

A *node* is a corner where three or four lines meet (a junction), or where a
line meets the edge of the block. An *arc* runs from node to node, or is a loop
without a node. Its vertices are the nodes at its ends and the corners at which
it turns. Each arc is two *half-edges*: ``2 * arc`` runs along its vertices and
``2 * arc + 1`` against them; the region on the left of a half-edge is the one
whose ring it is part of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

EAST, SOUTH, WEST, NORTH = 0, 1, 2, 3
_NODE = 16
"""The bit of a corner's mask, beside one for each direction, that says node."""

_EAST_WEST, _NORTH_SOUTH = 1 << EAST | 1 << WEST, 1 << NORTH | 1 << SOUTH
_PASSING = 2
"""The lines at a corner that a line passes; with more it is a junction."""

_NONE = -1


class Arcs(NamedTuple):
    """Arcs and the nodes at which they meet."""

    vertices: NDArray[np.int32]
    """Row and column of pixel corners, shape ``(vertex, 2)``, arc after arc."""
    offsets: NDArray[np.int64]
    """Where each arc's vertices begin, and the end of the last: ``(arc + 1,)``."""
    faces: NDArray[np.int32]
    """The label on the left of each half-edge, shape ``(2 * arc,)``."""
    nodes: NDArray[np.int32]
    """Row and column of each node, shape ``(node, 2)``."""
    spokes: NDArray[np.int32]
    """The half-edge that leaves a node east, south, west and north, or -1:
    shape ``(node, 4)``."""
    cut: NDArray[np.bool_]
    """True for a node on the edge of the block, shape ``(node,)``."""


@kernel
def mark_corners(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find which of the four directions a line leaves each corner.

    The block owns the line east and south of each of its corners but those of
    the last row and column, which are the first of the next block.

    Args:
        classes: Class ids, shape ``(y, x)``.

    Returns:
        One bit for each direction, and `_NODE`, shape ``(y, x)``: the last row
        and column are those of the block's lower and right edge.

    """
    height, width = classes.shape[0] - 1, classes.shape[1] - 1
    masks = np.zeros((height + 1, width + 1), np.uint8)
    for i in range(height):
        for j in range(width):
            here = classes[i + 1, j + 1]
            if classes[i, j + 1] != here:
                masks[i, j] |= 1 << EAST
                masks[i, j + 1] |= 1 << WEST
            if classes[i + 1, j] != here:
                masks[i, j] |= 1 << SOUTH
                masks[i + 1, j] |= 1 << NORTH
    for i in range(height + 1):
        for j in range(width + 1):
            lines = masks[i, j]
            at_edge = i == 0 or j == 0 or i == height or j == width
            if lines != 0 and (at_edge or _degree(lines) > _PASSING):
                masks[i, j] |= _NODE
    return masks


@kernel
def _degree(mask: np.uint8) -> int:
    return int((mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1))


@kernel
def _count(masks: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Count nodes, the ends of arcs at nodes, and corners at which a line turns."""
    nodes, ends, turns = 0, 0, 0
    for mask in masks.flat:
        if mask & _NODE:
            nodes += 1
            ends += _degree(mask)
        elif mask not in (0, _EAST_WEST, _NORTH_SOUTH):
            turns += 1
    return nodes, ends, turns


@kernel
def trace(
    masks: NDArray[np.uint8],
    labels: NDArray[np.int32],
    numbers: NDArray[np.int32],
    origin: tuple[int, int],
) -> Arcs:
    """Trace every arc of a block.

    A loop without a node begins at its first corner (lowest row, then column)
    and leaves it eastwards.

    Args:
        masks: What `mark_corners` gives; used up.
        labels: Provisional labels of the block's pixels, shape ``(y, x)``.
        numbers: The region of each provisional label.
        origin: Row and column in the map of the block's corner (0, 0).

    Returns:
        The arcs, with vertices and nodes counted in the whole map.

    """
    node_count, end_count, turn_count = _count(masks)
    loop_limit = turn_count // 4
    arc_limit = end_count // 2 + loop_limit
    vertices = np.empty((turn_count + end_count + loop_limit, 2), np.int32)
    offsets = np.zeros(arc_limit + 1, np.int64)
    faces = np.empty(2 * arc_limit, np.int32)
    nodes, cut, node_at = _find_nodes(masks, node_count, origin)
    spokes = np.full((node_count, 4), _NONE, np.int32)
    arc = 0
    for loops in (False, True):  # when no node is left, every line is a loop
        for i in range(masks.shape[0]):
            for j in range(masks.shape[1]):
                if masks[i, j] == 0 or not (loops or masks[i, j] & _NODE):
                    continue
                for start in range(4):
                    if not masks[i, j] >> start & 1:
                        continue
                    left, right = _sides(labels, i, j, start)
                    faces[2 * arc] = numbers[left]
                    faces[2 * arc + 1] = numbers[right]
                    offsets[arc + 1], row, col, heading = _follow(
                        masks, vertices, offsets[arc], origin, (i, j, start)
                    )
                    if not loops:
                        spokes[node_at[i, j], start] = 2 * arc
                        spokes[node_at[row, col], heading ^ 2] = 2 * arc + 1
                    arc += 1
    return Arcs(
        vertices[: offsets[arc]].copy(),
        offsets[: arc + 1].copy(),
        faces[: 2 * arc].copy(),
        nodes,
        spokes,
        cut,
    )


@kernel
def _find_nodes(
    masks: NDArray[np.uint8], count: int, origin: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.int32]]:
    """List the nodes, mark those on the block's edge, and number their corners."""
    nodes = np.empty((count, 2), np.int32)
    cut = np.empty(count, np.bool_)
    node_at = np.empty(masks.shape, np.int32)
    height, width = masks.shape[0] - 1, masks.shape[1] - 1
    node = 0
    for i in range(height + 1):
        for j in range(width + 1):
            if masks[i, j] & _NODE:
                nodes[node, 0] = origin[0] + i
                nodes[node, 1] = origin[1] + j
                cut[node] = i == 0 or j == 0 or i == height or j == width
                node_at[i, j] = node
                node += 1
    return nodes, cut, node_at


@kernel
def _sides(labels: NDArray[np.int32], i: int, j: int, heading: int) -> tuple[int, int]:
    """Look up the labels left and right of the line that leaves a corner."""
    if heading == EAST:
        return labels[i, j + 1], labels[i + 1, j + 1]
    if heading == SOUTH:
        return labels[i + 1, j + 1], labels[i + 1, j]
    if heading == WEST:
        return labels[i + 1, j], labels[i, j]
    return labels[i, j], labels[i, j + 1]


@kernel
def _follow(
    masks: NDArray[np.uint8],
    vertices: NDArray[np.int32],
    vertex: int,
    origin: tuple[int, int],
    start: tuple[int, int, int],
) -> tuple[int, int, int, int]:
    """Write the vertices of the arc that leaves a corner, and rub out its line.

    Args:
        masks: Lines not yet traced.
        vertices: Where to write.
        vertex: The first free index there.
        origin: Row and column in the map of the block's corner (0, 0).
        start: Row and column of the first corner, and the direction to leave it.

    Returns:
        The next free index, row and column of the last corner, and the
        direction in which the arc arrives there.

    """
    i, j, heading = start
    vertices[vertex, 0] = origin[0] + i
    vertices[vertex, 1] = origin[1] + j
    vertex += 1
    while True:
        masks[i, j] ^= 1 << heading
        if heading == EAST:
            j += 1
        elif heading == SOUTH:
            i += 1
        elif heading == WEST:
            j -= 1
        else:
            i -= 1
        masks[i, j] ^= 1 << (heading ^ 2)
        mask = masks[i, j]
        if mask == 0 or mask & _NODE:  # nothing left: the loop is closed
            break
        onward = _only_direction(mask)
        if onward != heading:
            vertices[vertex, 0] = origin[0] + i
            vertices[vertex, 1] = origin[1] + j
            vertex += 1
            heading = onward
    vertices[vertex, 0] = origin[0] + i
    vertices[vertex, 1] = origin[1] + j
    return vertex + 1, i, j, heading


@kernel
def _only_direction(mask: np.uint8) -> int:
    if mask == 1 << EAST:
        return EAST
    if mask == 1 << SOUTH:
        return SOUTH
    if mask == 1 << WEST:
        return WEST
    return NORTH
