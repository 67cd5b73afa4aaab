"""Pieces of arcs chained into arcs that run from junction to junction.

Where exactly two pieces meet there is no junction, and they become one arc; a
point that lies straight between its neighbours goes. So arcs are the same
whatever blocks they were traced in; only their order is not, and nothing that
is made of them depends on that.

At a junction a ring goes on along the region that it encloses. Where two pixels
of one region touch at a corner only, and pixels of others at the same corner
fill the gaps, the ring turns right, across the corner to the region's other
pixel. So a ring never passes a corner twice: what would be a shell that touches
itself is a shell and a hole that touch, as the standards for polygons ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.storage.mapped import Arrays

_NONE = -1
_PASSING = 2
"""A node with this many unused directions is passed, not a junction."""


class Pieces(NamedTuple):
    """Pieces of arcs, and the nodes at which they meet."""

    vertices: NDArray[np.int32]
    """Row and column of pixel corners, shape ``(vertex, 2)``, piece after piece."""
    offsets: NDArray[np.int64]
    """Where each piece's vertices begin, and the end: shape ``(piece + 1,)``."""
    faces: NDArray[np.int32]
    """The region on the left of each half-edge, 0 outside: ``(2 * piece,)``. A
    piece with the same region on both sides is no boundary and is passed over."""
    nodes: NDArray[np.int32]
    """Row and column of each node, shape ``(node, 2)``."""
    spokes: NDArray[np.int32]
    """The half-edge that leaves each node east, south, west and north, or -1:
    shape ``(node, 4)``."""


class Chains(NamedTuple):
    """Arcs from junction to junction, and loops, each with one direction.

    An arc begins at the end whose corner is first (row, then column; then the
    direction in which the arc leaves it: east, south, west, north). A loop
    begins at its first corner and leaves it eastwards.
    """

    vertices: NDArray[np.int32]
    """Row and column of pixel corners, shape ``(vertex, 2)``, arc after arc."""
    offsets: NDArray[np.int64]
    """Where each arc's vertices begin, and the end of the last: ``(arc + 1,)``."""
    faces: NDArray[np.int32]
    """The region on the left of each half-edge, 0 outside: ``(2 * arc,)``."""
    following: NDArray[np.int32]
    """The half-edge that follows each one in its ring: ``(2 * arc,)``."""


def chain(pieces: Pieces, arrays: Arrays) -> Chains:
    """Chain the pieces of arcs that meet where there is no junction.

    Args:
        pieces: The pieces of a map.
        arrays: Makes what grows with the map.

    """
    vertices, offsets, faces, nodes, spokes = pieces
    halves, count = len(faces), len(offsets) - 1
    onward, starts = (arrays.zeros(halves, np.int32) for _ in range(2))
    headings = arrays.zeros(halves, np.int8)
    link(spokes, faces, onward, starts, headings)
    done, junction = arrays.zeros(count, np.bool_), arrays.zeros(len(nodes), np.bool_)
    firsts, lasts = (arrays.zeros(count, np.int32) for _ in range(2))
    _find_junctions(spokes, junction)
    begun = _find_open(
        (faces, nodes, junction), (onward, starts, headings), done, (firsts, lasts)
    )
    del starts, headings, junction
    count = _find_loops(onward, done, begun, (firsts, lasts))
    del done
    firsts, lasts = firsts[:count], lasts[:count]

    chained = arrays.zeros(vertices.shape, np.int32)
    ends = arrays.zeros(count + 1, np.int64)
    _write((vertices, offsets), onward, (firsts, lasts), (chained, ends))
    _start_loops(chained, ends, begun, (firsts, lasts))
    of_chains, following = (arrays.zeros(2 * count, np.int32) for _ in range(2))
    _take_faces(faces, firsts, of_chains)
    starting = arrays.zeros(halves, np.int32)
    _follow(onward, (firsts, lasts), begun, starting, following)
    return Chains(chained[: ends[-1]], ends, of_chains, following)


@kernel
def link(
    spokes: NDArray[np.int32],
    faces: NDArray[np.int32],
    onward: NDArray[np.int32],
    starts: NDArray[np.int32],
    headings: NDArray[np.int8],
) -> None:
    """Find for each half-edge what follows it, where it starts and its heading.

    Of the half-edges that leave a node with the region of the one that arrives
    on their left, the rightmost follows it. The last three are filled.
    """
    onward[:] = _NONE
    starts[:] = _NONE
    for node in range(len(spokes)):
        for direction in range(4):
            leaving = spokes[node, direction]
            if leaving < 0:
                continue
            starts[leaving] = node
            headings[leaving] = direction
            arriving = leaving ^ 1
            for turn in (3, 2, 1):  # right, straight on, left: seen from behind
                candidate = spokes[node, (direction + turn) & 3]
                if candidate >= 0 and faces[candidate] == faces[arriving]:
                    onward[arriving] = candidate
                    break


@kernel
def _find_junctions(spokes: NDArray[np.int32], junction: NDArray[np.bool_]) -> None:
    """Mark the nodes at which more than two lines meet, or one ends."""
    for node in range(len(spokes)):
        unused = 0
        for half in spokes[node]:
            unused += half == _NONE
        junction[node] = unused < _PASSING


@kernel
def _find_open(
    graph: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]],
    links: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]],
    done: NDArray[np.bool_],
    found: tuple[NDArray[np.int32], NDArray[np.int32]],
) -> int:
    """Find the first and last half-edge of each arc between junctions.

    Args:
        graph: The face of each half-edge; row and column of each node, and whether it
            is a junction.
        links: What `link` fills.
        done: Set for each piece that is in an arc, or no boundary any more.
        found: First and last half-edges, filled from the start.

    Returns:
        The number of arcs.

    """
    faces, nodes, junction = graph
    onward, starts, headings = links
    firsts, lasts = found
    for piece in range(len(done)):
        done[piece] = faces[2 * piece] == faces[2 * piece + 1]
    count = 0
    for half in range(len(onward)):
        if done[half >> 1] or starts[half] == _NONE or not junction[starts[half]]:
            continue
        last = half
        done[last >> 1] = True
        while not junction[starts[last ^ 1]]:
            last = onward[last]
            done[last >> 1] = True
        back = last ^ 1
        if _comes_before(
            nodes[starts[back]], headings[back], nodes[starts[half]], headings[half]
        ):
            firsts[count], lasts[count] = back, half ^ 1
        else:
            firsts[count], lasts[count] = half, last
        count += 1
    return count


@kernel
def _comes_before(
    a: NDArray[np.int32], a_heading: np.int8, b: NDArray[np.int32], b_heading: np.int8
) -> bool:
    """Return whether corner a, left in its direction, comes before b in its."""
    if a[0] != b[0]:
        return bool(a[0] < b[0])
    if a[1] != b[1]:
        return bool(a[1] < b[1])
    return bool(a_heading < b_heading)


@kernel
def _find_loops(
    onward: NDArray[np.int32],
    done: NDArray[np.bool_],
    count: int,
    found: tuple[NDArray[np.int32], NDArray[np.int32]],
) -> int:
    """Find the first and last half-edge of each loop, after those of the arcs.

    Returns:
        The number of arcs and loops.

    """
    firsts, lasts = found
    for piece in range(len(done)):
        if done[piece]:
            continue
        first = last = 2 * piece
        done[piece] = True
        while True:
            following = onward[last]
            if following < 0 or following == first:
                break
            last = following
            done[last >> 1] = True
        firsts[count], lasts[count] = first, last
        count += 1
    return count


@kernel
def _take_faces(
    of_pieces: NDArray[np.int32],
    firsts: NDArray[np.int32],
    of_chains: NDArray[np.int32],
) -> None:
    """Give each arc the faces of its first piece."""
    for arc in range(len(firsts)):
        of_chains[2 * arc] = of_pieces[firsts[arc]]
        of_chains[2 * arc + 1] = of_pieces[firsts[arc] ^ 1]


@kernel
def _follow(
    onward: NDArray[np.int32],
    found: tuple[NDArray[np.int32], NDArray[np.int32]],
    begun: int,
    starting: NDArray[np.int32],
    following: NDArray[np.int32],
) -> None:
    """Find the half-edge that follows each one; a loop follows itself.

    The last two are filled: the half-edges of arcs that those of pieces begin, and
    what is asked for.
    """
    firsts, lasts = found
    for arc in range(begun):
        starting[firsts[arc]] = 2 * arc
        starting[lasts[arc] ^ 1] = 2 * arc + 1
    for half in range(2 * begun, len(following)):
        following[half] = half
    for arc in range(begun):
        following[2 * arc] = starting[onward[lasts[arc]]]
        following[2 * arc + 1] = starting[onward[firsts[arc] ^ 1]]


@kernel
def _write(
    pieces: tuple[NDArray[np.int32], NDArray[np.int64]],
    onward: NDArray[np.int32],
    found: tuple[NDArray[np.int32], NDArray[np.int32]],
    chained: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> None:
    """Write the vertices of every arc, and where each arc's begin."""
    vertices, offsets = pieces
    firsts, lasts = found
    out, ends = chained
    for arc in range(len(firsts)):
        begin = end = ends[arc]
        half = firsts[arc]
        end = _append(out, begin, end, vertices, offsets, half)
        while half != lasts[arc]:
            half = onward[half]
            end = _append(out, begin, end, vertices, offsets, half)
        ends[arc + 1] = end


@kernel
def _append(
    out: NDArray[np.int32],
    begin: int,
    end: int,
    vertices: NDArray[np.int32],
    offsets: NDArray[np.int64],
    half: int,
) -> int:
    """Append a half-edge's vertices to an arc; give the arc's new end.

    The corner that both share is written once, or not at all where the line
    runs straight through it.
    """
    first, last = offsets[half >> 1], offsets[(half >> 1) + 1] - 1
    step = 1
    if half & 1:
        first, last, step = last, first, -1
    if end > begin:
        first += step
        if end - begin > 1 and _is_straight(out, end - 2, end - 1, vertices, first):
            end -= 1
    position = first
    while position != last + step:
        out[end, 0] = vertices[position, 0]
        out[end, 1] = vertices[position, 1]
        end += 1
        position += step
    return end


@kernel
def _is_straight(
    a: NDArray[np.int32], i: int, j: int, b: NDArray[np.int32], k: int
) -> bool:
    """Return whether ``a[i]``, ``a[j]`` and ``b[k]`` share a row or a column."""
    return bool(
        (a[i, 0] == a[j, 0] and a[j, 0] == b[k, 0])
        or (a[i, 1] == a[j, 1] and a[j, 1] == b[k, 1])
    )


@kernel
def _start_loops(
    vertices: NDArray[np.int32],
    ends: NDArray[np.int64],
    begun: int,
    found: tuple[NDArray[np.int32], NDArray[np.int32]],
) -> None:
    """Let every loop start at its first corner, eastwards.

    Args:
        vertices: Those of arcs and loops; changed.
        ends: Where those of each begin; changed.
        begun: The number of arcs; loops come after them.
        found: First and last half-edges; turned round where the loop is.

    """
    firsts, lasts = found
    stop = ends[begun]
    for arc in range(begun, len(firsts)):
        first, stop = stop, ends[arc + 1]
        loop = vertices[first : stop - 1].copy()
        if _is_straight(loop, len(loop) - 1, 0, loop, 1):
            loop = loop[1:]
        least = _find_first_corner(loop)
        step = 1
        if loop[(least + 1) % len(loop), 0] != loop[least, 0]:
            step = -1
            firsts[arc], lasts[arc] = lasts[arc] ^ 1, firsts[arc] ^ 1
        for k in range(len(loop) + 1):
            corner = (least + step * k) % len(loop)
            vertices[ends[arc] + k, 0] = loop[corner, 0]
            vertices[ends[arc] + k, 1] = loop[corner, 1]
        ends[arc + 1] = ends[arc] + len(loop) + 1


@kernel
def _find_first_corner(corners: NDArray[np.int32]) -> int:
    least = 0
    for k in range(1, len(corners)):
        row, col = corners[k, 0], corners[k, 1]
        if row < corners[least, 0] or (
            row == corners[least, 0] and col < corners[least, 1]
        ):
            least = k
    return least
