"""Straightened and smoothed polygons still fit; rows and classes are as asked."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from maps import ADVERSARIES, LEGEND, PLANE, ArrayMap, terrain
from rasterio import features
from scipy import ndimage

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.vectorize.polygons import Drawing, polygons

PIXEL = 10


def make(pixels, drawing, block=2048, transform=PLANE):
    return polygons(
        ArrayMap(pixels, transform), legend=LEGEND, drawing=drawing, block=block
    )


noise_maps = arrays(
    np.uint8,
    array_shapes(min_dims=2, max_dims=2, max_side=32),
    elements=st.sampled_from([0, 1, 2, NODATA]),
)
terrain_maps = st.builds(
    terrain,
    st.integers(0, 10_000),
    st.tuples(st.integers(2, 64), st.integers(2, 64)),
    st.floats(0.5, 4),
)
any_maps = noise_maps | terrain_maps
drawings = st.builds(
    Drawing,
    min_pixels=st.sampled_from([0, 0, 5, 30]),
    tolerance=st.sampled_from([0, 0.5, 0.8, 1.5, 4, 20, 1000]),
    smoothing=st.integers(0, 3),
)


def check_is_a_coverage(pixels, drawing, transform=PLANE):
    straight = make(pixels, Drawing(min_pixels=drawing.min_pixels), 2048, transform)
    frame = make(pixels, drawing, 2048, transform)
    assert frame.class_id.equals(straight.class_id)
    assert frame.pixel_count.equals(straight.pixel_count)
    if not len(frame):
        return
    drawn = frame.geometry.array
    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert (shapely.area(drawn) > 0).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(drawn)).all()
    # Who lies in a hole of whom does not change.
    assert np.array_equal(
        shapely.get_num_interior_rings(drawn),
        shapely.get_num_interior_rings(straight.geometry.array),
    )


@settings(deadline=None, max_examples=100)
@given(any_maps, drawings)
def test_straightened_and_smoothed_polygons_are_a_coverage(pixels, drawing):
    check_is_a_coverage(pixels, drawing)


@pytest.mark.parametrize("name", ADVERSARIES)
@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(tolerance=1.5),
        Drawing(tolerance=1000),
        Drawing(smoothing=3),
        Drawing(min_pixels=9, tolerance=3, smoothing=1),
    ],
    ids=["straight", "as straight as can be", "smooth", "everything"],
)
def test_so_are_those_of_adversarial_maps(name, drawing):
    check_is_a_coverage(ADVERSARIES[name], drawing)


@settings(deadline=None, max_examples=20)
@given(terrain_maps, drawings)
def test_so_are_those_of_pixels_that_are_not_square(pixels, drawing):
    transform = PLANE @ Affine.rotation(20) @ Affine.scale(0.3, 1.7)
    check_is_a_coverage(pixels, drawing, transform)


@settings(deadline=None, max_examples=60)
@given(any_maps, drawings, st.sampled_from([2, 8, 16, 33]))
def test_block_size_never_shows_in_them(pixels, drawing, block):
    whole = make(pixels, drawing).to_wkb()
    assert make(pixels, drawing, block).to_wkb().equals(whole)


@settings(deadline=None, max_examples=30)
@given(terrain_maps, st.sampled_from([0.8, 1.5, 3.0]))
def test_lines_move_no_farther_than_the_tolerance(pixels, tolerance):
    before = make(pixels, Drawing()).geometry.array
    after = make(pixels, Drawing(tolerance=tolerance)).geometry.array
    if len(before):
        moved = shapely.hausdorff_distance(
            shapely.boundary(before), shapely.boundary(after)
        )
        assert moved.max() <= tolerance * PIXEL * 1.000001


def test_straightening_drops_most_vertices_of_a_winding_boundary():
    pixels = terrain(5, (61, 67), 3)
    before, after = (
        shapely.get_num_coordinates(make(pixels, drawing).geometry.array).sum()
        for drawing in (Drawing(), Drawing(tolerance=1.5))
    )
    assert after < before / 3


def test_a_staircase_becomes_a_slope():
    pixels = np.tri(9, dtype=np.uint8)
    frame = make(pixels, Drawing(tolerance=1))
    assert shapely.get_num_coordinates(frame.geometry.array).tolist() == [4, 4]


def test_an_island_in_a_bay_stays_on_its_side():
    # The bay of class 1 is narrower than the tolerance, the island of 2 is in it.
    pixels = np.zeros((24, 40), np.uint8)
    pixels[12:] = 1
    pixels[8:12, 18:23] = 1
    pixels[9, 20] = 2
    check_is_a_coverage(pixels, Drawing(tolerance=6))
    frame = make(pixels, Drawing(tolerance=6)).set_index("class_id").geometry
    assert frame[1].touches(frame[2])
    assert not frame[0].intersects(frame[2])


def test_an_island_of_one_pixel_keeps_its_shape():
    pixels = np.zeros((5, 7), np.uint8)
    pixels[2, 3] = 1
    frame = make(pixels, Drawing(tolerance=100))
    assert frame.area_m2.round(-1).tolist() == [3400, 100]


def test_smoothing_cuts_the_corners_of_an_island():
    pixels = np.zeros((7, 9), np.uint8)
    pixels[2:5, 3:6] = 1
    frame = make(pixels, Drawing(smoothing=1))
    island = frame.geometry[1]
    assert shapely.get_num_coordinates(island) == 9
    assert frame.area_m2[1] == pytest.approx(900 - 4 * 7.5**2 / 2, rel=1e-3)
    assert frame.pixel_count[1] == 9


def test_regions_that_touch_at_a_corner_are_one_where_asked():
    pixels = np.array([[0, 1, 1], [1, 0, 1], [2, 2, 1]], np.uint8)
    frame = make(pixels, Drawing(connectivity=8))
    assert frame.class_id.tolist() == [0, 1, 2]
    assert frame.geom_type.tolist() == ["MultiPolygon", "MultiPolygon", "Polygon"]
    assert frame.pixel_count.tolist() == [2, 5, 2]
    assert frame.area_m2.round().tolist() == [200, 500, 200]
    assert frame.is_valid.all()


@settings(deadline=None, max_examples=40)
@given(noise_maps, st.sampled_from([2, 8, 33]))
def test_regions_of_eight_neighbours_are_those_of_scipy(pixels, block):
    frame = make(pixels, Drawing(connectivity=8), block)
    expected = 0
    for value in (0, 1, 2):
        _, count = ndimage.label(pixels == value, np.ones((3, 3)))
        expected += count
    assert len(frame) == expected
    assert frame.is_valid.all()
    assert frame.to_wkb().equals(make(pixels, Drawing(connectivity=8)).to_wkb())


def test_patches_of_eight_neighbours_are_kept_whole():
    pixels = np.zeros((7, 7), np.uint8)
    np.fill_diagonal(pixels[1:6, 1:6], 1)
    drawing = Drawing(min_pixels=5, connectivity=8)
    assert make(pixels, drawing).pixel_count.tolist() == [44, 5]
    assert make(pixels, Drawing(min_pixels=5)).pixel_count.tolist() == [49]


@settings(deadline=None, max_examples=20)
@given(any_maps)
def test_dissolved_classes_have_the_pixels_of_their_regions(pixels):
    frame = make(pixels, Drawing(dissolve=True))
    values, counts = np.unique(pixels[pixels != NODATA], return_counts=True)
    assert frame.class_id.tolist() == values.tolist()
    assert frame.pixel_count.tolist() == counts.tolist()
    assert (frame.geom_type == "MultiPolygon").all()
    assert frame.is_valid.all()
    back = features.rasterize(
        [*zip(frame.geometry, frame.class_id, strict=True)]
        or [(shapely.Point(0, 0), 0)],
        out_shape=pixels.shape,
        transform=PLANE,
        fill=NODATA,
        dtype=np.uint8,
    )
    np.testing.assert_array_equal(back, pixels)


def test_only_the_classes_asked_for_are_drawn():
    pixels = terrain(2, (31, 37), 2)
    everything = make(pixels, Drawing())
    some = make(pixels, Drawing(classes=frozenset({1})))
    expected = everything[everything.class_id == 1].reset_index(drop=True)
    assert some.to_wkb().equals(expected.to_wkb())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tolerance": -1}, "tolerance of lines must not be negative, got -1"),
        ({"tolerance": float("nan")}, "must not be negative, got nan"),
        ({"smoothing": 5}, "cut 0 to 4 times, got 5"),
        ({"connectivity": 6}, "4 sides or to 8 neighbours, got 6"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(wrong, message):
    with pytest.raises(VectorError, match=message):
        Drawing(**wrong)
