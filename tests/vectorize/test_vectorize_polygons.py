"""Polygons are the raster, whatever the blocks they were traced in."""

import pickle

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from maps import ADVERSARIES, FLAT, LEGEND, PLANE, ArrayMap
from pyproj import CRS, Geod
from rasterio import features

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.vectorize.polygons import polygons

WHOLE = 4096


@st.composite
def maps(draw, side=64):
    """Draw noise, or patches larger than a pixel, with or without nodata."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=side))
    values = st.sampled_from([0, 1, 2, NODATA])
    zoom = draw(st.integers(1, 4))
    return arrays(np.uint8, shape, elements=values).map(
        lambda pixels: np.kron(pixels, np.ones((zoom, zoom), np.uint8))[
            : shape[0], : shape[1]
        ]
    )


random_maps = maps().flatmap(lambda strategy: strategy)


def check_is_the_raster(pixels, transform=PLANE):
    """Compare polygons with the pixels by every means that is not ours."""
    raster = ArrayMap(pixels, transform)
    frame = polygons(raster, legend=LEGEND)
    shapes = list(features.shapes(pixels, mask=pixels != NODATA, transform=transform))
    assert len(frame) == len(shapes)
    assert frame.pixel_count.sum() == (pixels != NODATA).sum()
    if not len(frame):
        return
    drawn = frame.geometry.array
    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert shapely.is_ccw(shapely.get_exterior_ring(drawn)).all()
    for class_id, rows in frame.groupby("class_id"):
        count = (pixels == class_id).sum()
        area = count * raster.geobox.pixel_area_m2()
        assert rows.area_m2.sum() == pytest.approx(area, rel=3e-6)
    back = features.rasterize(
        zip(drawn, frame.class_id, strict=True),
        out_shape=pixels.shape,
        transform=transform,
        fill=NODATA,
        dtype=np.uint8,
    )
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_polygons_of_adversarial_maps_are_the_raster(name):
    check_is_the_raster(ADVERSARIES[name])


@settings(deadline=None, max_examples=60)
@given(random_maps)
def test_polygons_of_random_maps_are_the_raster(pixels):
    check_is_the_raster(pixels)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_polygons_are_those_of_rasterio_point_for_point(name):
    pixels = ADVERSARIES[name]
    frame = polygons(ArrayMap(pixels), legend=LEGEND)
    theirs = [
        (int(value), shapely.geometry.shape(geometry))
        for geometry, value in features.shapes(
            pixels, mask=pixels != NODATA, transform=PLANE
        )
    ]
    ours = {
        (row.class_id, shapely.normalize(row.geometry.simplify(0)).wkb)
        for row in frame.itertuples()
    }
    assert ours == {
        (value, shapely.normalize(polygon.buffer(0).simplify(0)).wkb)
        for value, polygon in theirs
    }


def blockwise(pixels, block, confidence=None, map_blocks=map):
    return polygons(
        ArrayMap(pixels),
        legend=LEGEND,
        confidence=confidence,
        block=block,
        map_blocks=map_blocks,
    )


@pytest.mark.parametrize("name", ADVERSARIES)
@pytest.mark.parametrize("block", [2, 8, 16, 33])
def test_block_size_never_shows_in_adversarial_maps(name, block):
    pixels = ADVERSARIES[name]
    whole = blockwise(pixels, WHOLE).to_wkb()
    assert blockwise(pixels, block).to_wkb().equals(whole)


@settings(deadline=None, max_examples=60)
@given(random_maps, st.sampled_from([2, 3, 8, 16, 33]))
def test_block_size_never_shows_in_random_maps(pixels, block):
    confidence = ArrayMap((pixels * 7 % 101).astype(np.uint8))
    whole = blockwise(pixels, WHOLE, confidence).to_wkb()
    assert blockwise(pixels, block, confidence).to_wkb().equals(whole)


def test_the_order_in_which_blocks_come_back_never_shows():
    def backwards(function, blocks):
        return reversed([function(block) for block in blocks])

    pixels = ADVERSARIES["noise"]
    expected = blockwise(pixels, 8).to_wkb()
    assert blockwise(pixels, 8, map_blocks=backwards).to_wkb().equals(expected)


def test_blocks_can_be_traced_in_another_process():
    def send(function, blocks):
        for block in blocks:
            there, task = pickle.loads(pickle.dumps((function, block)))  # noqa: S301
            yield pickle.loads(pickle.dumps(there(task)))  # noqa: S301 - our own bytes

    pixels = ADVERSARIES["noise"]
    expected = blockwise(pixels, 8).to_wkb()
    assert blockwise(pixels, 8, map_blocks=send).to_wkb().equals(expected)


def test_rows_come_in_the_order_of_first_pixels_with_their_numbers():
    pixels = np.array([[NODATA, 2, 2], [1, 1, 2]], np.uint8)
    percent = np.array([[9, 50, 61], [80, NODATA, 60]], np.uint8)
    frame = blockwise(pixels, WHOLE, ArrayMap(percent))
    frame[["area_m2", "perimeter_m"]] = frame[["area_m2", "perimeter_m"]].round()
    assert frame.drop(columns="geometry").to_dict("list") == {
        "class_id": [2, 1],
        "class_name": ["class 2", "class 1"],
        "area_m2": [300.0, 200.0],
        "perimeter_m": [80.0, 60.0],
        "pixel_count": [3, 2],
        "mean_confidence": [57.0, 80.0],
    }
    assert frame.crs == CRS.from_epsg(32633)


def test_a_region_without_any_confidence_has_none():
    frame = blockwise(
        np.zeros((2, 3), np.uint8),
        WHOLE,
        ArrayMap(np.full((2, 3), NODATA, np.uint8)),
    )
    assert np.isnan(frame.mean_confidence).all()


@pytest.mark.parametrize(
    "transform",
    [
        Affine(10, 0, 500_000, 0, 10, 5_000_000),  # rows run north
        PLANE @ Affine.rotation(30),
        Affine(0, 10, 500_000, -10, 0, 5_000_000),  # rows run east
        Affine(12, 0, 500_000, 0, -7, 5_000_000),  # pixels are not square
    ],
)
def test_planes_turned_any_way_give_the_same_valid_polygons(transform):
    pixels = ADVERSARIES["noise"]
    frame = polygons(ArrayMap(pixels, transform, FLAT), legend=LEGEND)
    drawn = frame.geometry.array
    assert shapely.is_valid(drawn).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(drawn)).all()
    np.testing.assert_allclose(shapely.area(drawn), frame.area_m2, rtol=1e-9)
    assert frame.pixel_count.equals(blockwise(pixels, WHOLE).pixel_count)


def test_areas_of_a_geographic_map_are_those_on_the_ellipsoid():
    transform = Affine(0.001, 0, 13, 0, -0.001, 52)
    frame = polygons(
        ArrayMap(ADVERSARIES["noise"], transform, "EPSG:4326"), legend=LEGEND
    )
    geod = Geod(ellps="WGS84")
    dense = frame.geometry.segmentize(0.0001)  # geodesics leave the parallels
    expected = [geod.geometry_area_perimeter(polygon) for polygon in dense]
    area, perimeter = np.abs(expected).T
    np.testing.assert_allclose(frame.area_m2, area, rtol=1e-6)
    np.testing.assert_allclose(frame.perimeter_m, perimeter, rtol=1e-6)


def test_areas_in_feet_are_given_in_square_metres():
    manhattan = Affine(10, 0, 984_000, 0, -10, 200_000)
    pixels = np.zeros((3, 2), np.uint8)
    frame = polygons(ArrayMap(pixels, manhattan, "EPSG:2263"), legend=LEGEND)
    foot = 1200 / 3937  # the US survey foot
    assert frame.area_m2[0] == pytest.approx(600 * foot**2, rel=1e-4)
    assert frame.perimeter_m[0] == pytest.approx(100 * foot, rel=1e-4)


def test_a_class_that_the_legend_does_not_name_is_refused():
    pixels = np.array([[0, 9]], np.uint8)
    with pytest.raises(VectorError, match=r"pixels of class 9.*names 0, 1, 2"):
        polygons(ArrayMap(pixels), legend=LEGEND)


def test_a_confidence_of_other_pixels_is_refused():
    with pytest.raises(VectorError, match="pixels of the class map"):
        blockwise(np.zeros((2, 3), np.uint8), 8, ArrayMap(np.zeros((3, 2))))


def test_a_block_too_small_is_refused():
    with pytest.raises(VectorError, match="at least 2 pixels, got 1"):
        blockwise(np.zeros((2, 3), np.uint8), 1)
