"""A pixel plane on Earth."""

import math

import pytest
from affine import Affine
from pyproj import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window as RasterioWindow
from rasterio.windows import transform as window_transform

from geoseg.errors import GridError
from geoseg.georef import Georef
from geoseg.grid import Window

UTM = CRS.from_epsg(32633)


def test_a_crop_is_what_rasterio_says(plane):
    window = Window(-3, 5, 7, 11)
    expected = window_transform(RasterioWindow(5, -3, 11, 7), plane.transform)
    crop = plane.crop(window)
    assert crop.transform == expected
    assert (crop.height, crop.width, crop.crs) == (7, 11, plane.crs)


def test_bounds_hold_every_corner(plane):
    bounds = plane.bounds
    for col, row in ((0, 0), (53, 0), (0, 37), (53, 37)):
        x, y = plane.transform @ (col, row)
        assert bounds.left <= x <= bounds.right
        assert bounds.bottom <= y <= bounds.top


def test_the_anchor_is_the_pixel_index_in_the_grid_of_the_crs():
    assert Georef(5, 7, from_origin(300_020, 60, 10, 20), UTM).anchor == (-3, 30_002)


@pytest.mark.parametrize(
    "transform",
    [
        from_origin(300_025, 60, 10, 20),  # half a pixel off
        from_origin(300_020, 60, 10, 20) @ Affine.rotation(10),
        Affine(10, 0, 300_020, 0, 10, 60),  # rows run north
    ],
)
def test_a_plane_off_the_grid_is_its_own(transform):
    assert Georef(5, 7, transform, UTM).anchor == (0, 0)


def test_the_area_of_a_pixel_is_in_square_metres():
    utm = Georef(5, 7, from_origin(500_000, 5_800_000, 10, 20), UTM)
    assert utm.pixel_area_m2() == pytest.approx(200 * 0.9996**-2, rel=1e-6)
    feet = CRS.from_epsg(2263)  # US survey feet
    foot = 1200 / 3937
    area = Georef(5, 7, from_origin(984_000, 200_000, 10, 20), feet).pixel_area_m2()
    assert area == pytest.approx(200 * foot**2, rel=1e-4)


def test_a_pixel_in_degrees_has_its_geodesic_area():
    plane = Georef(10, 10, from_origin(13, 60.05, 0.01, 0.01), CRS.from_epsg(4326))
    # WGS 84 at 60 degrees north: a degree is 111.412 km along, 55.800 km across.
    assert plane.pixel_area_m2() == pytest.approx(1114.12 * 558.00, rel=1e-3)
    assert plane.gsd_m() == pytest.approx(math.sqrt(1114.12 * 558.00), rel=1e-3)


def test_extent_in_degrees():
    bounds = Georef(
        10, 10, from_origin(500_000, 5_800_000, 10, 10), UTM
    ).lonlat_bounds()
    assert bounds.left == pytest.approx(15)
    assert 52 < bounds.bottom < bounds.top < 53


def test_planes_are_the_same_only_if_every_pixel_is(plane):
    assert plane.same_plane_as(plane.crop(Window(0, 0, 37, 53)))
    assert not plane.same_plane_as(plane.crop(Window(0, 1, 37, 53)))
    assert not plane.same_plane_as(plane.crop(Window(0, 0, 37, 52)))


def test_a_plane_without_pixels_or_area_is_refused():
    with pytest.raises(GridError, match="0 rows x 7 columns"):
        Georef(0, 7, from_origin(0, 0, 1, 1), UTM)
    with pytest.raises(GridError, match="has no area"):
        Georef(5, 7, Affine(0, 0, 0, 0, 0, 0), UTM)
