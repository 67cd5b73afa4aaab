"""Quantities with units, as people write them."""

import pytest

from geoseg.errors import VectorError
from geoseg.vectorize.units import Quantity, read_area, read_length


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("12px", Quantity(pixels=12)),
        ("0.5ha", Quantity(ground=5000)),
        ("400 m2", Quantity(ground=400)),
        ("400m²", Quantity(ground=400)),
        (".01km2", Quantity(ground=10_000)),
        ("1 HA", Quantity(ground=10_000)),  # capitals are a habit in reports
        ("2a", Quantity(ground=200)),
    ],
)
def test_areas_are_pixels_or_square_metres(text, quantity):
    assert read_area(text) == quantity


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("1.5px", Quantity(pixels=1.5)),
        ("30m", Quantity(ground=30)),
        ("1km", Quantity(ground=1000)),
        ("50 cm", Quantity(ground=0.5)),
    ],
)
def test_lengths_are_sides_of_pixels_or_metres(text, quantity):
    assert read_length(text) == quantity


@pytest.mark.parametrize("text", ["", "5", "ha", "5 furlongs", "-1ha", "5m", "1e3px"])
def test_what_is_no_area_is_refused_with_the_units(text):
    with pytest.raises(VectorError, match=r"is no area.*px, m2, a, ha, km2"):
        read_area(text)


@pytest.mark.parametrize("text", ["5ha", "nan px", "5m2"])
def test_what_is_no_length_is_refused_with_the_units(text):
    with pytest.raises(VectorError, match=r"is no length.*px, cm, m, km"):
        read_length(text)
