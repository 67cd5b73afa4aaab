"""Integers only: windows, tiles, blocks and seams.

Everything here is arithmetic on whole pixels; no file, no array, no float.

One axis of the lattice, tile 8, overlap 4, so a step of 4::

    tile 0    [-2 ------ 6)            core [0, 4)
    tile 1         [2 ------ 10)       core [4, 8)
    tile 2             [6 ------ 14)   core [8, 12)

A tile's *core* is the tile less half the overlap on each side; cores partition
the axis. A *block* owns a rectangle of whole tiles. Where the tiles of two
blocks overlap, half the overlap on each side of the line between their cores,
is a *seam*: no block can finish it alone.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from geoseg.errors import GridError
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Axis:
    """The lattice along rows or along columns.

    Tiles are numbered from 0, the first whose core meets the scene.
    """

    length: int
    """Scene pixels along this axis."""
    tile: int
    """Tile side in pixels."""
    overlap: int
    """Pixels shared by adjacent tiles: even, at most half a tile."""
    phase: int
    """How many pixels of tile 0's core lie before the scene's first pixel."""
    block: int
    """Tiles in a block along this axis."""

    @property
    def step(self) -> int:
        """Pixels from one tile to the next; also the side of a core."""
        return self.tile - self.overlap

    @property
    def tiles(self) -> int:
        """How many tiles have a core that meets the scene."""
        return -(-(self.length + self.phase) // self.step)

    @property
    def blocks(self) -> int:
        """How many blocks hold all the tiles; the last may be smaller."""
        return -(-self.tiles // self.block)

    def core(self, tile: int) -> tuple[int, int]:
        """The range of pixels in which a tile's weight is greatest, unclipped."""
        start = tile * self.step - self.phase
        return start, start + self.step

    def view(self, tile: int) -> tuple[int, int]:
        """The range of pixels that the model sees of a tile, unclipped."""
        start, stop = self.core(tile)
        return start - self.overlap // 2, stop + self.overlap // 2

    def block_tiles(self, block: int) -> range:
        """The tiles that a block owns."""
        return range(block * self.block, min((block + 1) * self.block, self.tiles))

    def block_view(self, block: int) -> tuple[int, int]:
        """The range of scene pixels that any tile of a block covers."""
        tiles = self.block_tiles(block)
        start, stop = self.view(tiles[0])[0], self.view(tiles[-1])[1]
        return max(start, 0), min(stop, self.length)

    def segment(self, index: int) -> tuple[int, int] | None:
        """The range of scene pixels of one segment, None where it is empty.

        Segments partition the axis. Even ones, ``2 * b``, are what the tiles of
        block ``b`` alone cover; odd ones, ``2 * b + 1``, the seam that it
        shares with block ``b + 1``.
        """
        half = self.overlap // 2
        first, last = index // 2, (index + 1) // 2
        if first == last:
            tiles = self.block_tiles(first)
            start = self.core(tiles[0])[0] + half if first > 0 else 0
            more = first < self.blocks - 1
            stop = self.core(tiles[-1])[1] - half if more else self.length
        else:
            line = self.core(self.block_tiles(last)[0])[0]
            start, stop = line - half, line + half
        start, stop = max(start, 0), min(stop, self.length)
        return (start, stop) if start < stop else None

    def segment_blocks(self, index: int) -> tuple[int, ...]:
        """The one or two blocks whose tiles cover a segment."""
        return tuple(sorted({index // 2, (index + 1) // 2}))

    def block_segments(self, block: int) -> list[int]:
        """The segments that a block's tiles cover, empty ones left out."""
        near = range(max(2 * block - 1, 0), min(2 * block + 2, 2 * self.blocks - 1))
        return [index for index in near if self.segment(index)]


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """The unit of scheduling: a rectangle of tiles, by its row and column of blocks."""

    row: int
    """Counted from the scene's first row of blocks."""
    col: int
    """Counted from the scene's first column of blocks."""


class BlockSet(AbstractSet[Block]):
    """Blocks, in a byte for each: a set of a million takes a megabyte.

    They come row by row.
    """

    __slots__ = ("_cols", "_count", "_flags")

    def __init__(self, cols: int, flags: bytes) -> None:
        """Take the number of blocks in a row, and 1 for each block, or 0, by rows."""
        self._cols, self._flags, self._count = cols, flags, flags.count(1)

    def __contains__(self, block: object) -> bool:
        """Whether a block is one of them; none beyond the last row and column is."""
        return (
            isinstance(block, Block)
            and 0 <= block.col < self._cols
            and 0 <= block.row < len(self._flags) // self._cols
            and self._flags[block.row * self._cols + block.col] == 1
        )

    def __iter__(self) -> Iterator[Block]:
        """Go through them, row by row."""
        for index, flag in enumerate(self._flags):
            if flag:
                yield Block(*divmod(index, self._cols))

    def __len__(self) -> int:
        """How many there are."""
        return self._count


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A rectangle of the scene that the same blocks decide.

    Pieces partition the scene. One block decides the inside of itself, two the
    seam between them, four the square where seams cross.
    """

    row: int
    """The segment along the rows: see `Axis.segment`."""
    col: int
    """The segment along the columns."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """What the model sees in one piece, by its row and column in the lattice."""

    row: int
    """Counted from the lattice's first row of tiles that meets the scene."""
    col: int
    """Counted from the first column."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The tiles, blocks and pieces of a scene."""

    rows: Axis
    """The lattice along the rows."""
    cols: Axis
    """The lattice along the columns."""

    def blocks(self) -> Iterator[Block]:
        """All blocks, row by row."""
        for row, col in product(range(self.rows.blocks), range(self.cols.blocks)):
            yield Block(row, col)

    def tiles(self, block: Block) -> list[Tile]:
        """The tiles that a block owns, row by row."""
        rows = self.rows.block_tiles(block.row)
        return [
            Tile(row, col)
            for row, col in product(rows, self.cols.block_tiles(block.col))
        ]

    def tile_view(self, tile: Tile) -> Window:
        """What the model sees of a tile; it may reach outside the scene."""
        return Window.between(self.rows.view(tile.row), self.cols.view(tile.col))

    def block_view(self, block: Block) -> Window:
        """The scene pixels that any tile of a block covers."""
        return Window.between(
            self.rows.block_view(block.row), self.cols.block_view(block.col)
        )

    def pieces(self, block: Block) -> list[Piece]:
        """The pieces that a block has a share in."""
        rows = self.rows.block_segments(block.row)
        cols = self.cols.block_segments(block.col)
        return [Piece(row, col) for row, col in product(rows, cols)]

    def piece_window(self, piece: Piece) -> Window:
        """The pixels of a piece.

        Raises:
            GridError: The piece has none.

        """
        rows, cols = self.rows.segment(piece.row), self.cols.segment(piece.col)
        if rows is None or cols is None:
            raise GridError(f"{piece} is empty")
        return Window.between(rows, cols)

    def piece_blocks(self, piece: Piece) -> list[Block]:
        """The one, two or four blocks that have a share in a piece."""
        rows = self.rows.segment_blocks(piece.row)
        cols = self.cols.segment_blocks(piece.col)
        return [Block(row, col) for row, col in product(rows, cols)]


def check_tile(tile: int, overlap: int, stride: int) -> None:
    """Refuse a tile and overlap that cannot be stitched exactly.

    At most two tiles may cover a pixel along an axis, and the lattice must keep
    to the model's stride, or tiles of one position would be computed differently.

    Raises:
        GridError: The overlap is odd, negative or over half a tile, or tile or
            tile minus overlap is no multiple of the stride. The message gives
            the nearest legal values.

    """
    good_tile = max(round(tile / stride), 1) * stride
    if tile != good_tile:
        raise GridError(
            f"tile {tile} is no positive multiple of the model's stride {stride}; "
            f"the nearest that is: {good_tile}"
        )
    legal = [o for o in range(0, tile // 2 + 1, 2) if o % stride == 0]
    if overlap not in legal:
        nearest = sorted(sorted(legal, key=lambda o: abs(o - overlap))[:2])
        raise GridError(
            f"overlap {overlap} does not fit tile {tile}: it must be even, at most "
            f"half a tile, and tile minus overlap a multiple of the model's stride "
            f"{stride}; the nearest that are: {', '.join(map(str, nearest))}"
        )


def overlap_step(stride: int) -> int:
    """Give what overlaps are multiples of: the least that is even."""
    return stride if stride % 2 == 0 else 2 * stride


def overlap_below(tile: int, stride: int, wanted: int) -> int:
    """Give the legal overlap that is next below what is wanted."""
    step = overlap_step(stride)
    return min(wanted, tile // 2) // step * step


def make_lattice(
    shape: tuple[int, int],
    *,
    tile: int,
    overlap: int,
    block: int,
    anchor: tuple[int, int] = (0, 0),
) -> Lattice:
    """Lay tiles over a scene.

    Args:
        shape: The scene's (height, width) in pixels.
        tile: Tile side in pixels.
        overlap: Pixels shared by adjacent tiles.
        block: Tiles a block has along each axis.
        anchor: The (row, column) of the scene's first pixel in its CRS's grid of
            such pixels. Cores begin at multiples of the step there, so two
            scenes cut from one grid are tiled alike.

    Raises:
        GridError: A block has less than one tile.

    """
    if block < 1:
        raise GridError(f"a block needs at least one tile a side, got {block}")
    rows, cols = (
        Axis(length, tile, overlap, origin % (tile - overlap), block)
        for length, origin in zip(shape, anchor, strict=True)
    )
    return Lattice(rows, cols)
