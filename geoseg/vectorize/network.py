"""The network: the regions and lines of the whole map, joined from its blocks.

A line that crosses the edge of a block was traced in two pieces, which end at
the same node. Regions that several blocks have seen become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from geoseg.vectorize.blocks import Regions, Traced, cut, trace_block
from geoseg.vectorize.chain import Pieces
from geoseg.vectorize.regions import join_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from geoseg.geo.windowed import BlockMap, ClassRaster

    Watch: TypeAlias = Callable[
        [Iterable[Traced], Mapping[tuple[int, int], int]], Iterable[Traced]
    ]


@dataclass(frozen=True, slots=True)
class Network:
    """The regions of a map and the lines between them."""

    regions: Regions
    """Every region, in the order of first pixels; face ``k`` is entry ``k - 1``."""
    pieces: Pieces
    """Every piece of an arc; face 0 is nodata and what lies beyond the map."""
    labels: tuple[NDArray[np.int32], ...]
    """The region of each label that a block has given, block after block."""


def trace_map(
    class_map: ClassRaster,
    confidence: ClassRaster | None,
    block: int,
    map_blocks: BlockMap,
    watch: Watch | None = None,
) -> Network:
    """Trace a map block by block, and join the blocks.

    The arguments are those of `geoseg.vectorize.polygons.polygons`; through ``watch``
    go the blocks and how many pixels each has.
    """
    task = partial(trace_block, class_map, confidence)
    traced = map_blocks(task, cut(class_map.geobox, block))
    if watch is not None:
        areas = {
            each.index: each.window.pixels for each in cut(class_map.geobox, block)
        }
        traced = watch(traced, areas)
    return join(list(traced))


def join(blocks: Sequence[Traced]) -> Network:
    """Join the blocks of a map, given in any order."""
    blocks = sorted(blocks, key=lambda block: block.index)
    above = _label_offsets(blocks)
    numbers, regions = _join_regions(blocks)
    vertices = np.concatenate([block.arcs.vertices for block in blocks])
    nodes, spokes = _join_nodes(blocks)
    faces = np.concatenate(
        [
            _shift(block.arcs.faces, first)
            for block, first in zip(blocks, above, strict=True)
        ]
    )
    lengths = np.concatenate([np.diff(block.arcs.offsets) for block in blocks])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Network(
        regions,
        Pieces(vertices, offsets, numbers[faces], nodes, spokes),
        tuple(
            np.concatenate(
                [numbers[:1], numbers[first + 1 :][: len(block.regions.classes)]]
            )
            for block, first in zip(blocks, above, strict=True)
        ),
    )


def _label_offsets(blocks: Sequence[Traced]) -> list[int]:
    """Count the labels of all blocks before each one."""
    counts = [len(block.regions.classes) for block in blocks]
    return [0, *np.cumsum(counts[:-1]).tolist()]


def _shift(labels: NDArray[np.int32], above: int) -> NDArray[np.int32]:
    """Raise labels by a number; what is outside stays outside."""
    return np.where(labels > 0, labels + np.int32(above), labels)


def _join_regions(blocks: Sequence[Traced]) -> tuple[NDArray[np.int32], Regions]:
    """Give each label of all blocks its region; gather what is known of regions."""
    a, b = _shared_labels(blocks)
    classes, firsts, pixels, confidence, sure = (
        np.concatenate([getattr(block.regions, field) for block in blocks])
        for field in ("classes", "firsts", "pixels", "confidence", "sure")
    )
    numbers = join_labels(len(classes), a, b)
    count = int(numbers.max())
    region = numbers[1:] - 1

    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, region, firsts)
    order = np.argsort(first)
    rank = np.empty(count + 1, np.int32)
    rank[0] = 0
    rank[order + 1] = np.arange(1, count + 1)
    numbers = rank[numbers]
    region = numbers[1:] - 1

    ids = np.empty(count, np.uint8)
    ids[region] = classes
    sums = np.zeros((3, count), np.int64)
    for total, part in zip(sums, (pixels, confidence, sure), strict=True):
        np.add.at(total, region, part)
    return numbers, Regions(ids, first[order], *sums)


def _shared_labels(
    blocks: Sequence[Traced],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pair the labels that neighbouring blocks give to pixels both have read."""
    offsets = _label_offsets(blocks)
    number_of = {block.index: number for number, block in enumerate(blocks)}
    pairs: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    for number, block in enumerate(blocks):
        row, col = block.index
        for edge, neighbour in ((0, (row - 1, col)), (1, (row, col - 1))):
            if neighbour in number_of:
                other = number_of[neighbour]
                theirs = blocks[other].edges[edge + 2]
                pairs.append(
                    (
                        _shift(block.edges[edge], offsets[number]),
                        _shift(theirs, offsets[other]),
                    )
                )
    if not pairs:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    ours, others = zip(*pairs, strict=True)
    return np.concatenate(ours), np.concatenate(others)


def _join_nodes(
    blocks: Sequence[Traced],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Make one node of those that blocks have at the same corner.

    Returns:
        Row and column of each node, shape ``(node, 2)``, and the half-edges
        that leave it, shape ``(node, 4)``, -1 for none.

    """
    counts = [len(block.arcs.faces) for block in blocks]
    before = np.concatenate([[0], np.cumsum(counts[:-1])]).astype(np.int32)
    spokes = np.concatenate(
        [
            np.where(block.arcs.spokes >= 0, block.arcs.spokes + start, -1)
            for block, start in zip(blocks, before, strict=True)
        ]
    ).astype(np.int32)
    nodes = np.concatenate([block.arcs.nodes for block in blocks])
    cut = np.concatenate([block.arcs.cut for block in blocks])
    keys = nodes[cut].astype(np.int64)
    width = int(keys[:, 1].max(initial=0)) + 1
    _, chosen, same = np.unique(
        keys[:, 0] * width + keys[:, 1], return_index=True, return_inverse=True
    )
    joined = np.full((len(chosen), 4), -1, np.int32)
    np.maximum.at(joined, same, spokes[cut])  # each line is in one block only
    return (
        np.concatenate([nodes[~cut], nodes[cut][chosen]]),
        np.concatenate([spokes[~cut], joined]),
    )
