"""Parts of a picture: all of it once, and no more blocks than GDAL's cache holds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geoseg.scene.files.parts import CACHED, cut_for_cache

SIDES = st.integers(1, 40_000)
BLOCKS = st.tuples(st.sampled_from([1, 128, 256, 512]), st.sampled_from([256, 512]))


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(SIDES, SIDES),
    BLOCKS,
    st.sampled_from([1, 3, 8, 64, 512]),
)
def test_parts_hold_each_pixel_of_a_picture_once(shape, source, block, pixel_bytes):
    seen = np.zeros(shape, int)
    for (top, bottom), (left, right) in cut_for_cache(
        shape, source, block, pixel_bytes
    ):
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


@given(st.tuples(SIDES, SIDES), BLOCKS, st.sampled_from([1, 3, 8, 64]))
def test_the_blocks_that_a_part_touches_fit_in_the_cache(source, block, pixel_bytes):
    for (top, bottom), (left, right) in cut_for_cache(
        source, source, block, pixel_bytes
    ):
        rows = -(-bottom // block[0]) - top // block[0]
        cols = -(-right // block[1]) - left // block[1]
        touched = rows * block[0] * cols * block[1]
        is_least = bottom - top <= block[0] and right - left <= block[1]
        assert is_least or touched * pixel_bytes <= CACHED
