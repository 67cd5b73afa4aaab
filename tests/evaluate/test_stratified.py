"""What a sample says: the papers' worked examples, their equations, and the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import geoseg
from geoseg.errors import LabelsError, ShapeError

SAMPLE = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
PIXELS = [200_000, 150_000, 3_200_000, 6_450_000]
HECTARE = 0.09


def test_the_worked_example_of_olofsson():
    found = geoseg.stratified_estimates(SAMPLE, PIXELS)
    assert round(found.area.value[0]) == 235_086
    area = found.area.times(HECTARE)
    assert round(area.value[0]) == 21_158
    assert round(1.96 * area.standard_error[0]) == 6_158
    assert found.users.value.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    errors = (1.96 * found.users.standard_error).round(2)
    assert errors.tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers.value.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert (1.96 * found.producers.standard_error).round(2)[0] == 0.21
    assert found.overall.value.round(2) == 0.95
    assert (1.96 * found.overall.standard_error).round(2) == 0.02
    assert found.proportions.sum() == pytest.approx(1)


STRATA = "A" * 10 + "B" * 10 + "C" * 10 + "D" * 10
MAPPED = "A" * 7 + "B" * 3 + "A" + "B" * 11 + "C" * 6 + "BB" + "D" * 10
TRUE = "AAAAACBABC" + "ABBBBBAABB" + "CCCCCDDBBA" + "DDDDDDDCCB"


def test_the_worked_example_of_stehman_whose_strata_are_not_the_classes():
    """Table 2, and the answers of pages 4932 to 4936, but for one standard error.

    That of the producer's accuracy is printed as 0.114, which follows where the
    variance of being B in the fourth stratum is taken for 0; Table 3 has it as 0.1.
    """
    counts = np.zeros((4, 4, 4), int)
    numbers = ("ABCD".index(letter) for letter in STRATA + MAPPED + TRUE)
    np.add.at(counts, tuple(np.array(list(numbers)).reshape(3, 40)), 1)
    sizes = np.array([40_000, 30_000, 20_000, 10_000])
    pixels = counts.sum(axis=2) * sizes[:, None] / 10
    found = geoseg.stratified_estimates(counts, pixels)
    a, b, c = 0, 1, 2
    area = found.area.times(1 / 100_000)
    assert area.value[[a, c]].round(3).tolist() == [0.35, 0.2]
    assert area.standard_error[[a, c]].round(3).tolist() == [0.082, 0.064]
    assert found.overall.value.round(3) == 0.63
    assert found.overall.standard_error.round(3) == 0.085
    assert found.users.value[b].round(3) == 0.574
    assert found.users.standard_error[b].round(3) == 0.125
    assert found.producers.value[b].round(3) == 0.794
    assert found.producers.standard_error[b].round(3) == 0.117
    assert found.proportions[b, c].round(3) == 0.08


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
        assert found.area.value[k] == pytest.approx(share * total)
        error = found.area.standard_error[k]
        assert error == pytest.approx(variance**0.5 * total)
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
        assert found.producers.value[k] == pytest.approx(producer)
        assert found.producers.standard_error[k] == pytest.approx(variance**0.5)


def test_a_class_that_the_map_does_not_show_has_no_stratum():
    found = geoseg.stratified_estimates(
        [[8, 1, 1], [0, 0, 0], [1, 0, 9]], [1000, 0, 3000]
    )
    assert np.isnan(found.users.value[1])
    assert np.isnan([found.users.low[1], found.users.high[1]]).all()
    assert found.area.value[1] == pytest.approx(100)
    producers = found.producers
    assert (producers.value[1], producers.low[1], producers.high[1]) == (0, 0, 0)


@settings(deadline=None, max_examples=60)
@given(
    right=st.lists(st.integers(0, 90), min_size=2, max_size=2),
    wrong=st.lists(st.integers(2, 90), min_size=2, max_size=2),
)
def test_an_interval_of_users_accuracy_is_wilsons(right, wrong):
    """As scipy has it, whatever the weights of the strata."""
    sample = [[right[0], wrong[0]], [wrong[1], right[1]]]
    found = geoseg.stratified_estimates(sample, [1_000, 9_000_000]).users
    for k in (0, 1):
        test = scipy.stats.binomtest(right[k], right[k] + wrong[k])
        expected = test.proportion_ci(method="wilson")
        assert found.low[k] == pytest.approx(expected.low, abs=1e-6)
        assert found.high[k] == pytest.approx(expected.high, abs=1e-6)


def test_points_that_all_agree_do_not_make_a_map_certain():
    found = geoseg.stratified_estimates([[75, 0], [0, 75]], [10_000, 990_000])
    assert found.area.standard_error[0] == 0
    assert found.area.low[0] < 10_000
    assert found.area.high[0] > 40_000
    assert found.users.low.round(3).tolist() == [0.951, 0.951]
    assert found.producers.low[0] < 0.25
    assert found.producers.high[0] == 1
    assert found.widest.tolist() == [1, 1]


CHANGE = [0.01, 0.19, 0.80]
"""Shares of a map: change, and two stable classes."""


def coverage(weights, points, confusion, *, samples):
    """Count how often intervals hold the truth: figures in rows, classes in columns.

    The last row is of the textbook's interval of areas, ± 1.96 standard errors.
    """
    random = np.random.default_rng(0)
    weights, confusion = np.array(weights), np.array(confusion)
    users = np.diag(confusion)
    area = weights @ confusion
    truth = {"users": users, "producers": weights * users / area, "area": 1e6 * area}
    held = np.zeros((4, len(weights)))
    for _ in range(samples):
        counts = [
            random.multinomial(*each) for each in zip(points, confusion, strict=True)
        ]
        found = geoseg.stratified_estimates(counts, 1e6 * weights)
        for row, (name, true) in enumerate(truth.items()):
            each = getattr(found, name)
            held[row] += (each.low <= true + 1e-9) & (true - 1e-9 <= each.high)
        textbook = 1.96 * found.area.standard_error
        held[3] += abs(found.area.value - truth["area"]) <= textbook
    return held / samples


@pytest.mark.slow
def test_intervals_hold_the_truth_where_one_percent_of_a_map_has_changed():
    """User's accuracies of 0.95 to 0.99; 75, 100 and 465 points in the strata.

    A sample has whole points, so that coverage swings with the accuracy: on the mean
    of nine accuracies it is to be 93 to 97 %, and nowhere below 91 %. The textbook's
    interval of the changed area holds the truth in half of the samples.
    """
    found = []
    for users in np.linspace(0.95, 0.99, 9):
        wrong = 1 - users
        confusion = [
            [users, wrong / 2, wrong / 2],
            [0.1 * wrong, users, 0.9 * wrong],
            [0.1 * wrong, 0.9 * wrong, users],
        ]
        found.append(coverage(CHANGE, [75, 100, 465], confusion, samples=1500))
    ours, textbook = np.split(np.array(found), [3], axis=1)
    mean = ours.mean(axis=0)
    assert ((mean > 0.93) & (mean < 0.97)).all(), mean
    assert ours.min() > 0.9
    assert textbook[-1, 0, 0] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("points", [75, 100, 465])
def test_intervals_hold_the_truth_with_as_many_points_in_each_stratum(points):
    found = []
    for users in np.linspace(0.95, 0.99, 9):
        confusion = [[users, 1 - users], [1 - users, users]]
        found.append(coverage([0.01, 0.99], [points] * 2, confusion, samples=600))
    mean = np.array(found)[:, :3].mean(axis=0)
    assert ((mean > 0.93) & (mean < 0.975)).all(), mean


@pytest.mark.parametrize(
    ("sample", "pixels", "error", "words"),
    [
        ([[1, 0]], [5, 5], ShapeError, "a row and a column for each of the 2"),
        ([[1, -1], [0, 2]], [5, 5], ShapeError, "no less than 0"),
        ([[1, 0], [0, 2]], [5, 5], LabelsError, "stratum 1 of 2 has 1; label more"),
        ([[2, 0], [0, 2]], [5, 0], LabelsError, "of which the map has no pixel"),
    ],
)
def test_a_sample_without_an_estimate_is_refused(sample, pixels, error, words):
    with pytest.raises(error, match=words):
        geoseg.stratified_estimates(sample, pixels)
