"""Olofsson et al. (2014): their worked example, and their equations term by term."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geoseg
from geoseg.errors import LabelsError, ShapeError

SAMPLE = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
PIXELS = [200_000, 150_000, 3_200_000, 6_450_000]
HECTARE = 0.09


def test_the_worked_example_of_the_paper():
    found = geoseg.stratified_estimates(SAMPLE, PIXELS)
    assert round(found.area[0]) == 235_086
    assert round(found.area[0] * HECTARE) == 21_158
    assert round(found.area_error[0] * HECTARE) == 6_158
    assert found.users.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert found.users_error.round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert found.producers_error.round(2).tolist()[0] == 0.21
    assert (round(found.overall, 2), round(found.overall_error, 2)) == (0.95, 0.02)
    assert found.proportions.sum() == pytest.approx(1)


@settings(deadline=None, max_examples=50)
@given(
    sample=st.lists(
        st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=3, max_size=3
    ),
    pixels=st.lists(st.integers(100, 10**7), min_size=3, max_size=3),
)
def test_equations_term_by_term(sample, pixels):
    """The sums of the paper, written out with loops."""
    found = geoseg.stratified_estimates(sample, pixels)
    n = [sum(row) for row in sample]
    total = sum(pixels)
    w = [each / total for each in pixels]
    three = range(3)
    for k in three:
        share = sum(w[i] * sample[i][k] / n[i] for i in three)
        variance = sum(
            (w[i] * (w[i] * sample[i][k] / n[i]) - (w[i] * sample[i][k] / n[i]) ** 2)
            / (n[i] - 1)
            for i in three
        )
        assert found.area[k] == pytest.approx(share * total)
        assert found.area_error[k] == pytest.approx(1.96 * variance**0.5 * total)
        user = sample[k][k] / n[k]
        there = sum(pixels[i] * sample[i][k] / n[i] for i in three)
        producer = pixels[k] * user / there
        others = sum(
            pixels[i] ** 2
            * sample[i][k]
            / n[i]
            * (1 - sample[i][k] / n[i])
            / (n[i] - 1)
            for i in three
            if i != k
        )
        own = pixels[k] ** 2 * (1 - producer) ** 2 * user * (1 - user) / (n[k] - 1)
        variance = (own + producer**2 * others) / there**2
        assert found.producers[k] == pytest.approx(producer)
        assert found.producers_error[k] == pytest.approx(1.96 * variance**0.5)


def test_a_class_that_the_map_does_not_show_has_no_stratum():
    found = geoseg.stratified_estimates(
        [[8, 1, 1], [0, 0, 0], [1, 0, 9]], [1000, 0, 3000]
    )
    assert np.isnan(found.users[1])
    assert found.area[1] == pytest.approx(100)
    assert found.producers[1] == 0


@pytest.mark.parametrize(
    ("sample", "pixels", "error", "words"),
    [
        ([[1, 0]], [5, 5], ShapeError, "a row and a column for each of the 2"),
        ([[1, -1], [0, 2]], [5, 5], ShapeError, "no less than 0"),
        ([[1, 0], [0, 2]], [5, 5], LabelsError, "class 1 of 2 has 1; label more"),
        ([[2, 0], [0, 2]], [5, 0], LabelsError, "of which the map has no pixel"),
    ],
)
def test_a_sample_without_an_estimate_is_refused(sample, pixels, error, words):
    with pytest.raises(error, match=words):
        geoseg.stratified_estimates(sample, pixels)
