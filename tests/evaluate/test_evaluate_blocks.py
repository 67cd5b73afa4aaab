"""Figures of a map read block by block: those of the whole, and of brute force."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from maps import PLANE, ArrayMap, terrain
from pyproj import CRS

from geoseg.errors import LabelsError
from geoseg.evaluate.blocks import evaluate_blocks
from geoseg.evaluate.boundary import count_boundaries
from geoseg.evaluate.calibration import count_confidences
from geoseg.evaluate.points import look_up
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend

LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#000000") for i in range(3)))
SMALL = arrays(np.uint8, (6, 7), elements=st.sampled_from((0, 1, 2, 255)))


@dataclass
class ArrayReference:
    """An array as a reference."""

    pixels: np.ndarray

    def near(self, window):
        return self if (self.pixels[window.slices()] != 255).any() else None

    def read(self, window):
        return self.pixels[window.slices()]


def brute_boundaries(reference, predicted, tolerance):
    """Count as the definition says, pixel by pixel."""
    height, width = reference.shape
    pixels = list(np.ndindex(height, width))
    known = {p for p in pixels if reference[p] != 255 and predicted[p] != 255}

    def edge(classes, value):
        return {
            (r, c)
            for r, c in known
            if classes[r, c] == value
            and any(
                0 <= r + dr < height
                and 0 <= c + dc < width
                and classes[r + dr, c + dc] != value
                for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0))
            )
        }

    def near(one, others, reach):
        return any((one[0] - r) ** 2 + (one[1] - c) ** 2 <= reach**2 for r, c in others)

    hidden = set(pixels) - known
    rows = []
    for value in range(3):
        mine, true = edge(predicted, value), edge(reference, value)
        for own, other in ((mine, true), (true, mine)):
            asked = [p for p in own if not near(p, hidden, int(tolerance) + 1)]
            rows.append((len(asked), sum(near(p, other, tolerance) for p in asked)))
    return rows


@settings(deadline=None, max_examples=60)
@given(reference=SMALL, predicted=SMALL, tolerance=st.sampled_from([0, 1, 1.5, 2.9]))
def test_boundaries_are_counted_as_defined(reference, predicted, tolerance):
    counted = count_boundaries(reference, predicted, (0, 1, 2), tolerance=tolerance)
    both = np.stack(
        [
            counted.in_map,
            counted.in_map_found,
            counted.in_reference,
            counted.in_reference_found,
        ]
    )
    expected = np.array(brute_boundaries(reference, predicted, tolerance))
    np.testing.assert_array_equal(both.T.reshape(-1, 2), expected)


def test_a_boundary_one_pixel_off_counts_within_the_tolerance_only():
    reference = np.repeat([[0] * 10 + [1] * 10], 9, axis=0).astype(np.uint8)
    shifted = np.roll(reference, 3, axis=1)
    shifted[:, :3] = 0
    for tolerance, expected in ((2, 0.0), (3, 1.0)):
        counted = count_boundaries(reference, shifted, (0, 1, 2), tolerance=tolerance)
        np.testing.assert_array_equal(counted.f1, [expected, expected, np.nan])
        assert counted.mean_f1 == expected
    assert np.isnan(
        count_boundaries(reference * 0, reference * 0, (0, 1, 2), tolerance=2).mean_f1
    )


def test_block_size_never_shows():
    reference = ArrayReference(terrain(1, (61, 83), 3))
    predicted = ArrayMap(terrain(2, (61, 83), 3))
    sure = np.random.default_rng(0).integers(0, 101, (61, 83)).astype(np.uint8)

    def evaluate(block):
        return evaluate_blocks(
            predicted, reference, LEGEND, confidence=ArrayMap(sure), block=block
        )

    whole = evaluate(1000)
    for block in (7, 16, 50):
        pieces = evaluate(block)
        np.testing.assert_array_equal(pieces.accuracy.matrix, whole.accuracy.matrix)
        for name in ("in_map", "in_map_found", "in_reference", "in_reference_found"):
            np.testing.assert_array_equal(
                getattr(pieces.boundaries, name), getattr(whole.boundaries, name)
            )
        np.testing.assert_array_equal(
            pieces.calibration.pixels, whole.calibration.pixels
        )
        assert pieces.calibration.expected_error == whole.calibration.expected_error


def test_blocks_are_counted_by_whoever_is_asked_to():
    reference, predicted = terrain(1, (40, 40), 3), ArrayMap(terrain(2, (40, 40), 3))
    asked = []

    def from_the_last(function, items):
        items = list(items)
        asked.extend(items)
        return [function(item) for item in reversed(items)]

    given = evaluate_blocks(
        predicted, ArrayReference(reference), LEGEND, block=16, map_blocks=from_the_last
    )
    own = evaluate_blocks(predicted, ArrayReference(reference), LEGEND)
    assert len(asked) == 9
    np.testing.assert_array_equal(given.accuracy.matrix, own.accuracy.matrix)


def test_only_what_is_inside_is_compared():
    truth = terrain(1, (30, 31), 3)

    class LeftHalf:
        def mask(self, window):
            cols = np.arange(window.width) + window.col
            return np.broadcast_to(cols < 15, (window.height, window.width))

    inside = evaluate_blocks(
        ArrayMap(truth), ArrayReference(truth), LEGEND, inside=LeftHalf(), block=8
    )
    assert inside.accuracy.pixels == (truth[:, :15] != 255).sum()


def test_a_map_without_a_labelled_pixel_is_refused():
    empty = np.full((9, 9), 255, np.uint8)
    for predicted, truth in ((empty, empty * 0), (empty * 0, empty)):
        with pytest.raises(LabelsError, match="nothing can be compared"):
            evaluate_blocks(ArrayMap(predicted), ArrayReference(truth), LEGEND)


def test_the_calibration_error_is_that_of_a_hand_count():
    reference = np.zeros(10, np.uint8)
    predicted = np.array([0, 0, 0, 1, 0, 0, 1, 1, 0, 254], np.uint8)
    sure = np.array([90, 90, 85, 81, 30, 30, 30, 30, 255, 10], np.uint8)
    counted = count_confidences(reference, predicted, sure, (0, 1, 254))
    # (80, 90] %: mean 0.865, 3 of 4 right; (20, 30] %: 0.3, 2 of 4 right. What has no
    # confidence does not count, nor does what is "unknown".
    assert [each.pixels for each in counted.bins] == [4, 4]
    error = (4 * abs(0.75 - 0.865) + 4 * abs(0.5 - 0.3)) / 8
    assert counted.expected_error == pytest.approx(error)


def test_errors_of_classes_that_make_up_for_each_other_are_reported():
    """One class claims 90 % and is right in half, the other the reverse."""
    predicted = np.repeat([3, 7, 9], [10, 10, 0]).astype(np.uint8)
    reference = np.where(np.arange(20) % 2 == 0, predicted, 9).astype(np.uint8)
    reference[10:] = [7] * 9 + [3]
    sure = np.repeat([90, 50], 10).astype(np.uint8)
    counted = count_confidences(reference, predicted, sure, (3, 7, 9))
    nothing = np.nan
    np.testing.assert_allclose(counted.confidence, [0.9, 0.5, nothing])
    np.testing.assert_allclose(counted.excess, [0.4, -0.4, nothing])
    np.testing.assert_allclose(counted.expected_errors, [0.4, 0.4, nothing])
    assert sum(counted.excess[:2]) == pytest.approx(0)


def test_a_class_without_a_boundary_in_the_reference_has_no_boundary_f1():
    """The map draws one through a patch of one label: nobody knows where it lies."""
    reference = np.full((12, 12), 1, np.uint8)
    predicted = reference.copy()
    predicted[:, 6:] = 2
    counted = count_boundaries(reference, predicted, (1, 2), tolerance=2)
    assert counted.in_map.tolist() == [12, 12]
    assert np.isnan(counted.f1).all()
    found = count_boundaries(predicted, reference, (1, 2), tolerance=2)
    assert found.f1.tolist() == [0, 0]


def test_points_are_looked_up_in_any_order_once_a_block():
    random = np.random.default_rng(3)
    pixels = random.integers(0, 250, (53, 37)).astype(np.uint8)
    rows, cols = random.integers(0, 53, 200), random.integers(0, 37, 200)
    found = look_up(ArrayMap(pixels), rows, cols, block=16)
    np.testing.assert_array_equal(found, pixels[rows, cols])


@dataclass
class EndlessMap:
    """A map that takes no memory."""

    side: int

    @property
    def geobox(self):
        return GeoBox(self.side, self.side, PLANE, CRS.from_epsg(32633))

    def near(self, _):
        return self

    def read(self, window):
        row = np.arange(window.height)[:, None] + window.row
        col = np.arange(window.width) + window.col
        return ((row // 37 + col // 41) % 3).astype(np.uint8)


def test_memory_depends_on_the_block_not_on_the_map():
    def peak(side):
        tracemalloc.start()
        each = EndlessMap(side)
        evaluate_blocks(each, each, LEGEND, confidence=each, block=128)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(128)
    small, large = peak(256), peak(1024)
    assert large < 1.1 * small
    assert large < 128 * 128 * 60
