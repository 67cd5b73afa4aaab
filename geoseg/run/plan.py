"""What a run will do, before it does anything: blocks, pieces, identity."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from geoseg.errors import PlanError
from geoseg.geo.tiling import Block, BlockSet, make_lattice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.tiling import Axis, Lattice, Piece
    from geoseg.geo.windows import Window

_ENOUGH_BLOCKS = 16
"""A job is cut into about this many blocks at least, so that progress is seen
and reading, inference and writing overlap even where the scene is small."""
_LARGEST_BLOCK = 2048
"""The side in pixels that a block should not pass: it bounds memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of a run, as data."""

    geobox: GeoBox
    """The scene's pixel plane."""
    area: Window
    """The output raster's pixels in the scene: the AOI's bounding box."""
    lattice: Lattice
    """Where tiles, blocks and pieces lie."""
    blocks: BlockSet
    """The blocks with at least one tile that touches the AOI."""
    tiles: int
    """Tiles that touch the AOI; those without data in it are skipped on the way."""
    skipped: int
    """Tiles of the scene that do not touch the AOI."""
    identity: Mapping[str, str]
    """Every input and setting that changes pixels, by name. A run is resumed
    only where all of them are the same."""

    def shown(self, block: Block) -> list[Piece]:
        """The pieces of a block that the output raster shows, in part or whole."""
        return [
            piece
            for piece in self.lattice.pieces(block)
            if self.lattice.piece_window(piece).intersection(self.area)
        ]

    def sharers(self, piece: Piece) -> list[Block]:
        """The planned blocks that have a share in a piece, row by row.

        A block without a tile that touches the AOI has none: no pixel of the
        AOI lies under its tiles.
        """
        return [b for b in self.lattice.piece_blocks(piece) if b in self.blocks]

    def pieces(self) -> Iterator[Piece]:
        """Every piece that the output raster shows, once."""
        for block in self.blocks:
            for piece in self.shown(block):
                if self.sharers(piece)[0] == block:
                    yield piece

    def output(self, piece: Piece) -> Window:
        """The pixels of the scene that a piece gives to the output raster.

        Raises:
            PlanError: It gives none.

        """
        window = self.lattice.piece_window(piece).intersection(self.area)
        if window is None:
            raise PlanError(f"{piece} lies outside the output raster {self.area}")
        return window


def lay_tiles(
    geobox: GeoBox, area: Window, *, tile: int, overlap: int, block: int | None = None
) -> Lattice:
    """Lay the lattice of a run over its scene.

    Args:
        geobox: The scene's pixel plane.
        area: The output raster's pixels in the scene.
        tile: Tile side in pixels.
        overlap: Pixels shared by adjacent tiles.
        block: Tiles a block has along each axis; chosen from the area's size where
            None. It never shows in the result.

    """
    return make_lattice(
        (geobox.height, geobox.width),
        tile=tile,
        overlap=overlap,
        block=_choose_block(area, tile, overlap) if block is None else block,
        anchor=geobox.anchor,
    )


def make_plan(
    geobox: GeoBox,
    lattice: Lattice,
    *,
    area: Window,
    touches: Callable[[Window], bool],
    identity: Mapping[str, str],
    fills: Callable[[Window], bool] | None = None,
) -> Plan:
    """Plan a run.

    Args:
        geobox: The scene's pixel plane.
        lattice: Its tiles.
        area: The output raster's pixels in the scene.
        touches: Whether a window may hold pixels of the AOI.
        fills: Whether every pixel of a window is in it for sure: where it is, the tiles
            of a block need not be asked for one by one.
        identity: Every input and setting that changes pixels, by name.

    Raises:
        PlanError: No tile touches the AOI.

    """
    across = lattice.cols.blocks
    flags = bytearray(lattice.rows.blocks * across)
    tiles = 0
    near = _near(lattice.rows, area.rows), _near(lattice.cols, area.cols)
    for row, col in product(*near):
        block = Block(row, col)
        if fills is not None and fills(lattice.block_view(block)):
            count = len(lattice.tiles(block))
        else:
            count = _touched_tiles(lattice, block, touches)
        flags[row * across + col] = count > 0
        tiles += count
    if not tiles:
        raise PlanError("no tile of the scene touches the area of interest")
    return Plan(
        geobox=geobox,
        area=area,
        lattice=lattice,
        blocks=BlockSet(across, bytes(flags)),
        tiles=tiles,
        skipped=lattice.rows.tiles * lattice.cols.tiles - tiles,
        identity=identity,
    )


def _near(axis: Axis, area: tuple[int, int]) -> list[int]:
    """The blocks along an axis of which a tile sees pixels of the area."""
    views = enumerate(map(axis.block_view, range(axis.blocks)))
    return [
        block for block, (start, stop) in views if start < area[1] and stop > area[0]
    ]


def _choose_block(area: Window, tile: int, overlap: int) -> int:
    step = tile - overlap
    tiles = max(area.height / step, 1) * max(area.width / step, 1)
    wanted = int((tiles / _ENOUGH_BLOCKS) ** 0.5)
    return max(min(wanted, _LARGEST_BLOCK // step), 1)


def _touched_tiles(
    lattice: Lattice, block: Block, touches: Callable[[Window], bool]
) -> int:
    return sum(touches(lattice.tile_view(tile)) for tile in lattice.tiles(block))
