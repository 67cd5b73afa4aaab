"""Accuracy of a map: counts held against scikit-learn, and against thought."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from geoseg.errors import ShapeError
from geoseg.evaluate import compare, total
from geoseg.geo.legend import LandClass, Legend

IDS = (0, 3, 4)
LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#000000") for i in IDS))
MAPS = arrays(np.uint8, (5, 7), elements=st.sampled_from((*IDS, 255)))


@settings(deadline=None)
@given(reference=MAPS, predicted=MAPS)
def test_every_figure_is_that_of_scikit_learn(reference, predicted):
    accuracy = compare(reference, predicted, LEGEND)
    both = (reference != 255) & (predicted != 255)
    true, guess = reference[both], predicted[both]
    assert accuracy.pixels == both.sum()
    if not both.any():
        assert np.isnan(accuracy.overall)
        assert np.isnan(accuracy.mean_f1)
        return
    np.testing.assert_array_equal(
        accuracy.matrix, confusion_matrix(true, guess, labels=IDS)
    )
    assert accuracy.overall == pytest.approx(accuracy_score(true, guess))
    for ours, theirs in ((accuracy.iou, jaccard_score), (accuracy.f1, f1_score)):
        expected = theirs(true, guess, labels=IDS, average=None, zero_division=0)
        np.testing.assert_allclose(np.nan_to_num(ours), expected)


def test_a_class_that_is_nowhere_is_no_number_and_not_in_the_mean():
    reference = np.array([[0, 0, 3]], np.uint8)
    accuracy = compare(reference, reference, LEGEND)
    np.testing.assert_array_equal(accuracy.f1, [1, 1, np.nan])
    assert (accuracy.mean_f1, accuracy.mean_iou) == (1, 1)


def test_the_majority_answers_the_most_frequent_class():
    reference = np.array([[0, 3, 3, 3, 255]], np.uint8)
    predicted = np.array([[0, 0, 0, 0, 0]], np.uint8)
    accuracy = compare(reference, predicted, LEGEND)
    assert (accuracy.overall, accuracy.majority) == (0.25, 0.75)


def test_pooled_counts_are_those_of_both_maps_together():
    random = np.random.default_rng(0)
    reference, predicted = random.choice(IDS, (2, 6, 11)).astype(np.uint8)
    whole = compare(reference, predicted, LEGEND)
    halves = [compare(reference[s], predicted[s], LEGEND) for s in np.s_[:2, 2:]]
    np.testing.assert_array_equal(total(halves).matrix, whole.matrix)


def test_maps_of_different_shape_are_refused():
    with pytest.raises(ShapeError, match=r"got \(2, 1\) and \(1, 2\)"):
        compare(np.zeros((1, 2), np.uint8), np.zeros((2, 1), np.uint8), LEGEND)


def test_a_class_id_outside_the_legend_is_refused():
    with pytest.raises(ShapeError, match=r"\[1, 9\] are not in the legend"):
        compare(
            np.array([[0, 0, 0]], np.uint8), np.array([[9, 0, 1]], np.uint8), LEGEND
        )
