"""The network: the regions and lines of the whole map, joined from its blocks.

A line that crosses the edge of a block was traced in two pieces, which end at
the same node. Regions that several blocks have seen become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import VectorError
from geoseg.geo.jit import kernel
from geoseg.vectorize.blocks import Regions
from geoseg.vectorize.chain import Pieces
from geoseg.vectorize.regions import join_pairs, number_joined, separate, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.blocks import Traced

_MOST = 2**31 - 1
"""The most lines, seen from both sides, and regions that can be numbered."""
_FACING = {0: (-1, 0, 2), 1: (0, -1, 3), 2: (1, 0, 0), 3: (0, 1, 1)}
"""For each of a block's edges: where the neighbour is, and which of its edges."""


@dataclass(frozen=True, slots=True)
class RegionLabels:
    """The region of each label that a block has given."""

    numbers: NDArray[np.int32]
    """The region of each label, block after block as they came; the first is that of
    what is outside."""
    before: Mapping[tuple[int, int], int]
    """How many labels come before those of each block, by its index."""
    counts: Mapping[tuple[int, int], int]
    """How many labels each block has."""

    def of(self, block: tuple[int, int]) -> NDArray[np.int32]:
        """Give the region of each label of a block, `OUTSIDE` first."""
        first = self.before[block] + 1
        own = self.numbers[first : first + self.counts[block]]
        return np.concatenate([self.numbers[:1], own])


@dataclass(frozen=True, slots=True)
class Network:
    """The regions of a map and the lines between them."""

    regions: Regions
    """Every region, in the order of first pixels; face ``k`` is entry ``k - 1``."""
    pieces: Pieces
    """Every piece of an arc; face 0 is nodata and what lies beyond the map."""
    labels: RegionLabels
    """The region of each label that a block has given."""


def join(blocks: Iterable[Traced], geobox: GeoBox, arrays: Arrays) -> Network:
    """Join the blocks of a map, given in any order, as they come."""
    joining = _Joining(arrays)
    for block in blocks:
        joining.add(block)
    return joining.network(geobox)


class _Joining:
    """What of a map has been traced so far, block after block."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.vertices = arrays.growing(np.int32, 2)
        self.offsets = arrays.growing(np.int64)
        self.offsets.append(np.zeros(1, np.int64))
        self.faces = arrays.growing(np.int32)
        self.nodes = arrays.growing(np.int32, 2)
        self.spokes = arrays.growing(np.int32, 4)
        self.cut_nodes = arrays.growing(np.int32, 2)
        self.cut_spokes = arrays.growing(np.int32, 4)
        self.classes = arrays.growing(np.uint8)
        self.firsts, self.pixels, self.confidence, self.sure = (
            arrays.growing(np.int64) for _ in range(4)
        )
        self.pairs = arrays.growing(np.int32, 2)
        self.before: dict[tuple[int, int], int] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.edges: dict[tuple[int, int, int], NDArray[np.int32]] = {}

    def add(self, block: Traced) -> None:
        """Take a block's lines and regions, and join it to those that are there."""
        arcs, regions = block.arcs, block.regions
        labels, halves = self.classes.count, self.faces.count
        if max(labels + len(regions.classes), halves + len(arcs.faces)) > _MOST:
            raise VectorError(
                "the map has more regions or lines than can be numbered; merge small "
                "patches by `min_area`, such as 10px, or cut the map"
            )
        self.before[block.index] = labels
        self.counts[block.index] = len(regions.classes)
        self.offsets.append(arcs.offsets[1:] + self.vertices.count)
        self.vertices.append(arcs.vertices)
        self.faces.append(_shift(arcs.faces, labels))
        spokes = np.where(arcs.spokes >= 0, arcs.spokes + np.int32(halves), -1)
        for nodes_of, spokes_of, which in (
            (self.nodes, self.spokes, ~arcs.cut),
            (self.cut_nodes, self.cut_spokes, arcs.cut),
        ):
            nodes_of.append(arcs.nodes[which])
            spokes_of.append(spokes[which])
        for name in ("classes", "firsts", "pixels", "confidence", "sure"):
            getattr(self, name).append(getattr(regions, name))
        self._pair(block, labels)

    def _pair(self, block: Traced, labels: int) -> None:
        """Pair the labels that neighbours give to pixels both have read."""
        row, col = block.index
        for edge, (down, right, theirs) in _FACING.items():
            own = _shift(block.edges[edge], labels)
            other = self.edges.pop((row + down, col + right, theirs), None)
            if other is None:
                self.edges[row, col, edge] = own
                continue
            both = np.stack([own, other], axis=1)
            differs = np.any(both[1:] != both[:-1], axis=1)
            self.pairs.append(both[np.concatenate([[True], differs])])

    def network(self, geobox: GeoBox) -> Network:
        """Make one network of what was taken."""
        numbers, regions = self._regions(geobox)
        faces = self.faces.whole()
        take(faces, numbers)
        self._join_nodes()
        return Network(
            regions,
            Pieces(
                self.vertices.whole(),
                self.offsets.whole(),
                faces,
                self.nodes.whole(),
                self.spokes.whole(),
            ),
            RegionLabels(numbers, self.before, self.counts),
        )

    def _regions(self, geobox: GeoBox) -> tuple[NDArray[np.int32], Regions]:
        """Give each label its region; gather what is known of regions."""
        arrays = self.arrays
        numbers = separate(arrays, self.classes.count)
        pairs = self.pairs.whole()
        join_pairs(numbers, pairs[:, 0].copy(), pairs[:, 1].copy())
        count = number_joined(numbers)
        found = arrays.zeros(count, np.int64)
        label_firsts = self.firsts.whole()
        _find_firsts(numbers, label_firsts, found)
        firsts = arrays.zeros(count, np.int64)
        starts = _sort_by_row(found, firsts, geobox.height, geobox.width)
        ranks = arrays.zeros(count + 1, np.int32)
        _rank(found, firsts, starts, geobox.width, ranks)
        take(numbers, ranks)
        del found, ranks, label_firsts
        classes = arrays.zeros(count, np.uint8)
        _take_classes(numbers, self.classes.whole(), classes)
        sums = [arrays.zeros(count, np.int64) for _ in range(3)]
        parts = self.pixels, self.confidence, self.sure
        for total, part in zip(sums, parts, strict=True):
            _add_up(numbers, part.whole(), total)
        return numbers, Regions(classes, firsts, *sums)

    def _join_nodes(self) -> None:
        """Make one node of those that blocks have at the same corner."""
        nodes, spokes = self.cut_nodes.whole(), self.cut_spokes.whole()
        keys = nodes.astype(np.int64)
        width = int(keys[:, 1].max(initial=0)) + 1
        _, chosen, same = np.unique(
            keys[:, 0] * width + keys[:, 1], return_index=True, return_inverse=True
        )
        joined = np.full((len(chosen), 4), -1, np.int32)
        np.maximum.at(joined, same, spokes)  # each line is in one block only
        self.nodes.append(nodes[chosen])
        self.spokes.append(joined)


def _shift(labels: NDArray[np.int32], above: int) -> NDArray[np.int32]:
    """Raise labels by a number; what is outside stays outside."""
    return np.where(labels > 0, labels + np.int32(above), labels)


@kernel
def _find_firsts(
    numbers: NDArray[np.int32],
    of_labels: NDArray[np.int64],
    firsts: NDArray[np.int64],
) -> None:
    """Find the first pixel of each region among those of its labels."""
    firsts[:] = np.iinfo(np.int64).max
    for label in range(len(of_labels)):
        region = numbers[label + 1] - 1
        firsts[region] = min(firsts[region], of_labels[label])


@kernel
def _sort_by_row(
    values: NDArray[np.int64], out: NDArray[np.int64], height: int, width: int
) -> NDArray[np.int64]:
    """Sort pixels by their index, row after row.

    Returns:
        Where those of each row begin, and the end.

    """
    starts = np.zeros(height + 1, np.int64)
    for value in values:
        starts[value // width + 1] += 1
    for row in range(height):
        starts[row + 1] += starts[row]
    places = starts.copy()
    for value in values:
        row = value // width
        out[places[row]] = value
        places[row] += 1
    for row in range(height):
        out[starts[row] : starts[row + 1]].sort()
    return starts


@kernel
def _rank(
    values: NDArray[np.int64],
    ordered: NDArray[np.int64],
    starts: NDArray[np.int64],
    width: int,
    ranks: NDArray[np.int32],
) -> None:
    """Find the rank of each value, counted from 1; the first rank stays 0."""
    for k in range(len(values)):
        row = values[k] // width
        first, stop = starts[row], starts[row + 1]
        rank = first + np.searchsorted(ordered[first:stop], values[k])
        ranks[k + 1] = rank + 1


@kernel
def _take_classes(
    numbers: NDArray[np.int32],
    of_labels: NDArray[np.uint8],
    classes: NDArray[np.uint8],
) -> None:
    """Give each region the class of its labels."""
    for label in range(len(of_labels)):
        classes[numbers[label + 1] - 1] = of_labels[label]


@kernel
def _add_up(
    numbers: NDArray[np.int32],
    of_labels: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    """Sum up for each region what its labels have."""
    for label in range(len(of_labels)):
        sums[numbers[label + 1] - 1] += of_labels[label]
