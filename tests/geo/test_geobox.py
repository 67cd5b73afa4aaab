"""A pixel plane on Earth."""

import json
import math

import pytest
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window as RasterioWindow
from rasterio.windows import transform as window_transform

from geoseg.errors import GridError
from geoseg.geo.geobox import Bounds, GeoBox, lonlat_outline, lonlat_union
from geoseg.geo.windows import Window

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
    assert GeoBox(5, 7, from_origin(300_020, 60, 10, 20), UTM).anchor == (-3, 30_002)


@pytest.mark.parametrize(
    "transform",
    [
        from_origin(300_025, 60, 10, 20),  # half a pixel off
        from_origin(300_020, 60, 10, 20) @ Affine.rotation(10),
        Affine(10, 0, 300_020, 0, 10, 60),  # rows run north
    ],
)
def test_a_plane_off_the_grid_is_its_own(transform):
    assert GeoBox(5, 7, transform, UTM).anchor == (0, 0)


def test_the_area_of_a_pixel_is_in_square_metres():
    utm = GeoBox(5, 7, from_origin(500_000, 5_800_000, 10, 20), UTM)
    assert utm.pixel_area_m2() == pytest.approx(200 * 0.9996**-2, rel=1e-6)
    feet = CRS.from_epsg(2263)  # US survey feet
    foot = 1200 / 3937
    area = GeoBox(5, 7, from_origin(984_000, 200_000, 10, 20), feet).pixel_area_m2()
    assert area == pytest.approx(200 * foot**2, rel=1e-4)


def test_a_pixel_in_degrees_has_its_geodesic_area():
    plane = GeoBox(10, 10, from_origin(13, 60.05, 0.01, 0.01), CRS.from_epsg(4326))
    # WGS 84 at 60 degrees north: a degree is 111.412 km along, 55.800 km across.
    assert plane.pixel_area_m2() == pytest.approx(1114.12 * 558.00, rel=1e-3)
    assert plane.gsd_m() == pytest.approx(math.sqrt(1114.12 * 558.00), rel=1e-3)


def test_extent_in_degrees():
    bounds = GeoBox(
        10, 10, from_origin(500_000, 5_800_000, 10, 10), UTM
    ).lonlat_bounds()
    assert bounds.left == pytest.approx(15)
    assert 52 < bounds.bottom < bounds.top < 53


@pytest.mark.parametrize(
    ("epsg", "transform", "degrees"),
    [
        (4326, from_origin(179, 10, 0.2, 1), (179, -179)),
        (4326, from_origin(205, 10, 0.2, 1), (-155, -153)),
        (4326, from_origin(-181, 10, 0.2, 1), (179, -179)),
        (4326, from_origin(-100, 10, 21, 1), (-100, 110)),
        (4326, from_origin(0, 10, 36, 1), (-180, 180)),
        (4326, from_origin(-180, 10, 36, 1), (-180, 180)),
        (4807, from_origin(-100, 10, 40, 1), (-180, 180)),  # 400 grads are a turn
        (3413, from_origin(-500, 500, 100, 100), (-180, 180)),
    ],
)
def test_extents_across_the_antimeridian_go_from_east_to_west(epsg, transform, degrees):
    bounds = GeoBox(10, 10, transform, CRS.from_epsg(epsg)).lonlat_bounds()
    assert (bounds.left, bounds.right) == pytest.approx(degrees, abs=1e-6)


def test_bounds_in_degrees_are_joined_by_the_shorter_way():
    fiji = Bounds(177, -19, -179, -16)
    samoa = Bounds(-173, -15, -171, -13)
    assert lonlat_union([samoa, fiji]) == Bounds(177, -19, -171, -13)
    assert lonlat_union([fiji]) == fiji
    assert lonlat_union([samoa, Bounds(-172, -14, -170, -13)]).left == -173
    assert lonlat_union([Bounds(-180, 60, 180, 90), samoa]) == Bounds(
        -180, -15, 180, 90
    )


def test_an_outline_across_the_antimeridian_has_a_part_on_each_side():
    shape = shapely.from_geojson(json.dumps(lonlat_outline(Bounds(179, 0, -178, 2))))
    parts = shapely.MultiPolygon(
        [shapely.box(179, 0, 180, 2), shapely.box(-180, 0, -178, 2)]
    )
    assert shape.equals(parts)


def test_planes_are_the_same_only_if_every_pixel_is(plane):
    assert plane.same_plane_as(plane.crop(Window(0, 0, 37, 53)))
    assert not plane.same_plane_as(plane.crop(Window(0, 1, 37, 53)))
    assert not plane.same_plane_as(plane.crop(Window(0, 0, 37, 52)))


def test_a_plane_without_pixels_or_area_is_refused():
    with pytest.raises(GridError, match="0 rows x 7 columns"):
        GeoBox(0, 7, from_origin(0, 0, 1, 1), UTM)
    with pytest.raises(GridError, match="has no area"):
        GeoBox(5, 7, Affine(0, 0, 0, 0, 0, 0), UTM)
