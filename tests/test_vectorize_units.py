"""Quantities with units, in pixels."""

import pytest
from affine import Affine
from pyproj import CRS

from geoseg.errors import VectorError
from geoseg.georef import Georef
from geoseg.vectorize.units import area_in_pixels, length_in_pixels

PLANE = Georef(37, 53, Affine(10, 0, 0, 0, -20, 0), CRS.from_epsg(32633))


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("12px", 12),
        ("0.5ha", 25),
        ("400 m2", 2),
        ("400m²", 2),
        (".01km2", 50),
        ("1 HA", 50),  # capitals are a habit in reports
        ("2a", 1),
    ],
)
def test_areas_are_counted_in_pixels(text, pixels):
    assert area_in_pixels(text, PLANE) == pytest.approx(pixels)


@pytest.mark.parametrize(
    ("text", "pixels"), [("1.5px", 1.5), ("30m", 3 / 2**0.5), ("1km", 100 / 2**0.5)]
)
def test_lengths_are_counted_in_sides_of_a_square_pixel(text, pixels):
    assert length_in_pixels(text, PLANE) == pytest.approx(pixels)


@pytest.mark.parametrize("text", ["", "5", "ha", "5 furlongs", "-1ha", "5m", "1e3px"])
def test_what_is_no_area_is_refused_with_the_units(text):
    with pytest.raises(VectorError, match=r"is no area.*px, m2, a, ha, km2"):
        area_in_pixels(text, PLANE)


@pytest.mark.parametrize("text", ["5ha", "nan px", "5m2"])
def test_what_is_no_length_is_refused_with_the_units(text):
    with pytest.raises(VectorError, match=r"is no length.*px, cm, m, km"):
        length_in_pixels(text, PLANE)
