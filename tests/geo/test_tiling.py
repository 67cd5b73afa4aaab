"""The lattice: windows, tiles, blocks and pieces."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import GridError
from geoseg.geo.tiling import (
    Axis,
    Block,
    BlockSet,
    Lattice,
    Piece,
    Tile,
    check_tile,
    make_lattice,
)
from geoseg.geo.windows import Window, reflect


@st.composite
def axes(draw) -> Axis:
    tile = 2 * draw(st.integers(1, 16))
    overlap = 2 * draw(st.integers(0, tile // 4))
    step = tile - overlap
    return Axis(
        length=draw(st.integers(1, 200)),
        tile=tile,
        overlap=overlap,
        phase=draw(st.integers(0, step - 1)),
        block=draw(st.integers(1, 9)),
    )


@given(axes())
def test_cores_cover_every_pixel_exactly_once(axis):
    seen = np.zeros(axis.length, int)
    for tile in range(axis.tiles):
        start, stop = axis.core(tile)
        assert start < axis.length, "no tile whose core misses the scene"
        assert stop > 0, "no tile whose core misses the scene"
        seen[max(start, 0) : stop] += 1
    assert (seen == 1).all()


@given(axes())
def test_one_or_two_tiles_cover_every_pixel(axis):
    seen = np.zeros(axis.length, int)
    for tile in range(axis.tiles):
        start, stop = axis.view(tile)
        assert stop - start == axis.tile
        seen[max(start, 0) : max(stop, 0)] += 1
    assert set(seen) <= {1, 2}


@given(axes())
def test_segments_partition_the_axis_and_name_the_blocks_that_cover_them(axis):
    owners = [set() for _ in range(axis.length)]
    for block in range(axis.blocks):
        for tile in axis.block_tiles(block):
            start, stop = axis.view(tile)
            for pixel in range(max(start, 0), min(stop, axis.length)):
                owners[pixel].add(block)
    seen = np.zeros(axis.length, int)
    for index in range(2 * axis.blocks - 1):
        extent = axis.segment(index)
        if extent is None:
            continue
        seen[slice(*extent)] += 1
        for pixel in range(*extent):
            assert owners[pixel] <= set(axis.segment_blocks(index))
            if index % 2 == 0:
                assert owners[pixel] == {index // 2}
    assert (seen == 1).all()


@given(axes())
def test_a_block_lists_every_segment_that_its_tiles_cover(axis):
    for block in range(axis.blocks):
        start, stop = axis.block_view(block)
        covered = {
            index
            for index in range(2 * axis.blocks - 1)
            if (extent := axis.segment(index))
            and extent[0] < stop
            and extent[1] > start
        }
        assert covered == set(axis.block_segments(block))
        for index in covered:
            first, last = axis.segment(index)
            assert start <= first
            assert last <= stop


@given(axes(), axes())
def test_pieces_partition_the_scene(rows, cols):
    lattice = Lattice(rows, cols)
    seen = np.zeros((rows.length, cols.length), int)
    pieces = {piece for block in lattice.blocks() for piece in lattice.pieces(block)}
    for piece in pieces:
        seen[lattice.piece_window(piece).slices()] += 1
        between = piece.row % 2 == 1 or piece.col % 2 == 1
        assert between == (len(lattice.piece_blocks(piece)) > 1)
    assert (seen == 1).all()


@given(st.integers(-50, 50), st.integers(1, 60), st.integers(1, 40))
def test_reflect_agrees_with_numpy(start, count, length):
    before, after = max(-start, 0), max(start + count - length, 0)
    padded = np.pad(np.arange(length), (before, after), mode="reflect")
    expected = padded[start + before : start + before + count]
    assert reflect(start, start + count, length) == list(expected)


@given(
    st.integers(0, 500),
    st.integers(0, 60),
    st.integers(20, 90),
    st.sampled_from([2, 4]),
)
def test_a_cut_of_an_anchored_scene_is_tiled_alike(anchor, cut, length, overlap):
    whole = make_lattice(
        (300, 300), tile=16, overlap=overlap, block=2, anchor=(anchor, 0)
    ).rows
    part = make_lattice(
        (length, 9), tile=16, overlap=overlap, block=3, anchor=(anchor + cut, 0)
    ).rows
    wholes = {whole.core(tile) for tile in range(whole.tiles)}
    parts = {
        (start + cut, stop + cut) for start, stop in map(part.core, range(part.tiles))
    }
    assert parts <= wholes


def test_a_raster_smaller_than_a_tile_is_one_tile():
    lattice = make_lattice((5, 7), tile=32, overlap=8, block=4)
    assert [lattice.tiles(block) for block in lattice.blocks()] == [
        lattice.tiles(Block(0, 0))
    ]
    assert lattice.pieces(Block(0, 0)) == [Piece(0, 0)]
    assert lattice.piece_window(Piece(0, 0)) == Window(0, 0, 5, 7)


def test_touching_windows_do_not_intersect():
    assert Window(0, 0, 4, 4).intersection(Window(0, 4, 4, 4)) is None


def test_windows_intersect_in_what_both_cover():
    a, b = Window(-2, 0, 5, 9), Window(1, 3, 7, 2)
    assert a.intersection(b) == Window(1, 3, 2, 2)
    assert not a.contains(b)
    assert a.contains(Window(-2, 8, 5, 1))


def test_a_window_before_the_array_has_no_slices():
    with pytest.raises(GridError, match="begins outside"):
        Window(-1, 0, 3, 3).slices()


def test_an_empty_window_is_refused():
    with pytest.raises(GridError, match="0 rows x 3 columns"):
        Window(0, 0, 0, 3)


def test_an_empty_piece_has_no_window():
    lattice = make_lattice((10, 10), tile=8, overlap=4, block=1)
    with pytest.raises(GridError, match="empty"):
        lattice.piece_window(Piece(0, 2))


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (250, 64, "nearest that is: 256"),  # not a multiple of the stride
        (256, 33, "nearest that are: 32, 64"),  # odd
        (256, 160, "nearest that are: 96, 128"),  # over half a tile
        (256, -32, "nearest that are: 0, 32"),  # negative
        (8, 0, "nearest that is: 32"),  # under one stride
    ],
)
def test_an_illegal_tile_is_refused_with_the_nearest_legal_values(
    tile, overlap, message
):
    with pytest.raises(GridError, match=message):
        check_tile(tile, overlap, 32)


def test_legal_tiles_pass():
    for overlap in (0, 32, 64, 96, 128):
        check_tile(256, overlap, 32)


def test_a_block_without_tiles_is_refused():
    with pytest.raises(GridError, match="at least one tile"):
        make_lattice((10, 10), tile=8, overlap=4, block=0)


def test_a_set_of_blocks_is_what_a_set_is():
    chosen = {Block(0, 2), Block(1, 0), Block(2, 3)}
    flags = bytes(Block(row, col) in chosen for row in range(3) for col in range(4))
    blocks = pickle.loads(pickle.dumps(BlockSet(4, flags)))  # noqa: S301  # our own
    assert blocks == chosen
    assert list(blocks) == sorted(chosen)
    for outside in (Block(0, 4), Block(3, 0), Block(-1, 0), Block(0, -1), Tile(0, 2)):
        assert outside not in blocks
