"""Small patches go where a slow and plain implementation sends them."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from maps import LEGEND, PLANE, ArrayMap
from rasterio import features
from scipy import ndimage

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.storage.mapped import Arrays
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.merge import merged_blocks
from geoseg.vectorize.polygons import polygons

TALL = Affine(5, 0, 399_960, 0, -17, 5_800_020)


def label(pixels):
    """Number the regions of all classes in the order of their first pixels."""
    labels = np.zeros(pixels.shape, int)
    for value in set(np.unique(pixels).tolist()) - {NODATA}:
        found, _ = ndimage.label(pixels == value)
        labels[found > 0] = found[found > 0] + labels.max()
    _, first = np.unique(labels[labels > 0], return_index=True)
    ranks = np.zeros(labels.max() + 1, int)
    ranks[labels[labels > 0][np.sort(first)]] = np.arange(1, len(first) + 1)
    return ranks[labels]


def boundaries(labels, region, width, height):
    """Measure the boundary that a region shares with each other one, and 0."""
    padded = np.pad(labels, 1)
    shared = {}
    for step, axis, length in (
        (1, 0, width),
        (-1, 0, width),
        (1, 1, height),
        (-1, 1, height),
    ):
        beside = np.roll(padded, step, axis)[padded == region]
        for other in beside[beside != region].tolist():
            shared[other] = shared.get(other, 0) + length
    return shared


def sieve_slowly(pixels, minimum, width=1, height=1):
    """Merge one patch after the other, labelling the map anew each time."""
    pixels = pixels.copy()
    while True:
        labels = label(pixels)
        sizes = np.bincount(labels.ravel())[1:]
        small = np.flatnonzero(sizes < minimum) + 1
        if not small.size:
            return pixels
        region = small[np.argmin(sizes[small - 1])]  # the first of the smallest
        shared = boundaries(labels, region, width, height)
        receivers = sorted(set(shared) - {0}, key=lambda other: (-shared[other], other))
        pixels[labels == region] = (
            pixels[labels == receivers[0]][0] if receivers else NODATA
        )


def sieve_fast(pixels, minimum, transform=PLANE, block=2048):
    return polygons(
        ArrayMap(pixels, transform),
        legend=LEGEND,
        drawing=Drawing(min_pixels=minimum),
        block=block,
    )


def rasterize(frame, shape, transform):
    if not len(frame):
        return np.full(shape, NODATA, np.uint8)
    return features.rasterize(
        zip(frame.geometry, frame.class_id, strict=True),
        out_shape=shape,
        transform=transform,
        fill=NODATA,
        dtype=np.uint8,
    )


random_maps = arrays(
    np.uint8,
    array_shapes(min_dims=2, max_dims=2, max_side=24),
    elements=st.sampled_from([0, 1, 2, 3, NODATA]),
)


@settings(deadline=None, max_examples=60)
@given(random_maps, st.integers(2, 30), st.booleans())
def test_patches_go_where_the_slow_way_sends_them(pixels, minimum, tall):
    transform, sides = (TALL, (5, 17)) if tall else (PLANE, (1, 1))
    expected = sieve_slowly(pixels, minimum, *sides)
    frame = sieve_fast(pixels, minimum, transform)
    np.testing.assert_array_equal(rasterize(frame, pixels.shape, transform), expected)
    assert len(frame) == label(expected).max()
    assert (frame.pixel_count >= minimum).all()
    if len(frame):
        assert shapely.is_valid(frame.geometry.array).all()
        assert shapely.coverage_is_valid(frame.geometry.array)
        pixel = abs(transform.determinant)
        np.testing.assert_allclose(frame.area_m2, frame.pixel_count * pixel, rtol=1e-3)


@settings(deadline=None, max_examples=40)
@given(random_maps, st.sampled_from([2, 3, 8, 16]))
def test_block_size_never_shows_after_merging(pixels, block):
    whole = sieve_fast(pixels, 7).to_wkb()
    assert sieve_fast(pixels, 7, block=block).to_wkb().equals(whole)


def test_an_island_in_nodata_becomes_nodata():
    pixels = np.full((5, 5), NODATA, np.uint8)
    pixels[2, 2] = 1
    assert len(sieve_fast(pixels, 2)) == 0


def test_nodata_gets_nothing_from_a_patch_with_another_neighbour():
    pixels = np.array([[NODATA] * 4, [NODATA, 1, 2, 2]], np.uint8)
    frame = sieve_fast(pixels, 2)
    assert frame.class_id.tolist() == [2]
    assert frame.pixel_count.tolist() == [3]


def test_what_was_merged_is_counted_by_class():
    pixels = np.array([[0, 0, 0, 1], [0, 2, 0, 1], [0, 0, 0, 1]], np.uint8)
    frame = sieve_fast(pixels, 4)
    assert frame.attrs["merged_pixels"] == {"class 1": 3, "class 2": 1}


@settings(deadline=None, max_examples=40)
@given(random_maps, st.integers(0, 30), st.sampled_from([2, 3, 8, 33]), st.booleans())
def test_the_merged_raster_is_that_of_the_polygons(pixels, minimum, block, eight):
    drawing = Drawing(min_pixels=minimum, connectivity=8 if eight else 4)
    merged = np.zeros_like(pixels)
    written = np.zeros(pixels.shape, int)
    for window, values in merged_blocks(
        ArrayMap(pixels), drawing, arrays=Arrays(), block=block
    ):
        merged[window.slices()] = values
        written[window.slices()] += 1
    assert (written == 1).all()
    frame = polygons(ArrayMap(pixels), legend=LEGEND, drawing=drawing)
    np.testing.assert_array_equal(merged, rasterize(frame, pixels.shape, PLANE))


def test_a_negative_area_is_refused():
    with pytest.raises(VectorError, match="must not be negative, got -1"):
        Drawing(min_pixels=-1)
