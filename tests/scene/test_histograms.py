"""Counting pixels: exact, in any order, against numpy."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.scene.histograms import Tally

RNG = np.random.default_rng(0)
PIXELS = {
    "uint8": RNG.integers(0, 256, 997).astype(np.uint8),
    "int8": RNG.integers(-128, 128, 997).astype(np.int8),
    "int16": RNG.integers(-(1 << 15), 1 << 15, 997).astype(np.int16),
    "uint16": np.append(RNG.integers(0, 4000, 996), 65535).astype(np.uint16),
    "int32": RNG.integers(-(1 << 31), 1 << 31, 997).astype(np.int32),
    "uint32": RNG.integers(0, 1 << 32, 997).astype(np.uint32),
    "float16": RNG.normal(0, 3, 997).astype(np.float16),
    "float32": RNG.normal(300, 5, 997).astype(np.float32),
    "float64": RNG.normal(-0.1, 0.2, 997),
    "tiny and huge": np.array([1e-45, -1e-40, 0.0, -0.0, 3e38, -3e38], np.float32),
}
MARKS = (0, 2, 33.3, 50, 98, 100)
CUT = np.uint32(0xFFFF_FF00)
"""The bits of a float32 that percentiles are taken of."""


def tally_of(*parts):
    tally = Tally()
    for part in parts:
        tally.add(part, np.ones(part.shape, bool))
    return tally


def figures(tally):
    marks = [tally.percentile(mark) for mark in MARKS]
    return tally.pixels, tally.smallest, tally.largest, *tally.moments(), *marks


@pytest.mark.parametrize("pixels", PIXELS.values(), ids=PIXELS)
def test_figures_are_those_of_numpy(pixels):
    tally, seen = tally_of(pixels), pixels.astype(np.float32)
    mean, std = tally.moments()
    exact = sum(map(Fraction, seen.tolist())) / seen.size
    assert mean == float(exact)
    assert std == pytest.approx(seen.astype(np.float64).std(), rel=1e-12)
    assert (tally.smallest, tally.largest) == (pixels.min(), pixels.max())
    cut = (seen.view(np.uint32) & CUT).view(np.float32).astype(np.float64)
    found = [tally.percentile(mark) for mark in MARKS]
    assert found == pytest.approx(np.percentile(cut, MARKS).tolist(), rel=1e-12)
    exactly = np.percentile(seen.astype(np.float64), MARKS)
    assert np.abs(found - exactly).max() <= np.abs(seen).max() / 32_768


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "uint16", "float16"])
def test_percentiles_of_narrow_pixels_are_exact(name):
    expected = np.percentile(PIXELS[name].astype(np.float64), MARKS)
    tally = tally_of(PIXELS[name])
    found = [tally.percentile(mark) for mark in MARKS]
    assert found == pytest.approx(expected.tolist(), rel=1e-13)


@settings(max_examples=20)
@given(name=st.sampled_from(list(PIXELS)), data=st.data())
def test_neither_cuts_nor_order_nor_merging_show(name, data):
    pixels = PIXELS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, pixels.size), max_size=4)))
    parts = data.draw(st.permutations(np.split(pixels, cuts)))
    merged = Tally()
    for part in parts:
        merged.merge(tally_of(part))
    whole = figures(tally_of(pixels))
    assert figures(tally_of(*parts)) == whole
    assert figures(merged) == whole


def test_pixels_that_do_not_count_are_not_counted():
    pixels = np.array([[1.0, np.nan], [3.0, 1e38]], np.float32)
    tally = Tally()
    tally.add(pixels, np.array([[True, False], [True, False]]))
    assert (tally.pixels, tally.moments()) == (2, (2.0, 1.0))


def test_nothing_counted_has_no_figures():
    tally = tally_of(np.zeros(0, np.uint16))
    assert tally.pixels == 0
    assert np.isnan([*tally.moments(), tally.percentile(50)]).all()
