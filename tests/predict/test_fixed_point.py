"""The loops of a CPU give the very bits that torch's operations give on a GPU."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.geo.legend import NODATA, UNKNOWN
from geoseg.geo.windows import Window
from geoseg.predict.fixed_point import PROBABILITY_ONE, SCORE_ONE
from geoseg.predict.layers import Layers
from geoseg.predict.stitch import Accumulator, decide
from geoseg.predict.tta import VIEWS

IDS = (3, 0, 7)


def some_probabilities(rng, shape):
    """Softmax of noise, some of it halfway between two fixed-point numbers."""
    found = torch.from_numpy(rng.normal(0, 3, shape).astype(np.float32)).softmax(0)
    found[:, ::3] = (torch.round(found[:, ::3] * PROBABILITY_ONE) + 0.5).div(
        PROBABILITY_ONE
    )
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 7))
def test_adding_is_what_torch_does_in_any_layout(seed, row, col, view):
    rng, window = np.random.default_rng(seed), Window(0, 0, 11, 13)
    turned = VIEWS["d4"][view].undo(some_probabilities(rng, (3, 9, 9)))
    weights = tuple(rng.integers(0, 257, 9).astype(np.int32) for _ in range(2))
    view = Window(row, col, 9, 9)
    sums = Accumulator(window, 3, torch.device("cpu"))
    sums.add(turned, view, weights)
    sums.add(turned, view, weights)
    expected = torch.zeros(3, 11 + 20, 13 + 20, dtype=torch.int32)
    fixed = (turned * PROBABILITY_ONE).round().to(torch.int32)
    fixed *= torch.from_numpy(weights[0][:, None] * weights[1])
    expected[:, row + 10 : row + 19, col + 10 : col + 19] = 2 * fixed
    assert torch.equal(sums.scores(window), expected[:, 10:21, 10:23])
    assert torch.equal(sums.scores(window), added_by_torch(turned, view, weights))


def added_by_torch(tile, view, weights):
    """Add a tile twice as on a GPU."""
    window = Window(0, 0, 11, 13)
    sums = Accumulator(window, 3, torch.device("cpu"))
    seen = view.intersection(window)
    if seen is not None:
        rows, cols = seen.relative_to(view).slices()
        part, its = tile[:, rows, cols], (weights[0][rows], weights[1][cols])
        for _ in range(2):
            sums._add(part, its, seen)  # noqa: SLF001  # which no CPU takes by itself
    return sums.scores(window)


@pytest.mark.parametrize("least", [0, 60])
@pytest.mark.parametrize("planes", [3, 6])
def test_deciding_is_what_torch_does_with_ties_and_holes(planes, least):
    rng = np.random.default_rng(planes)
    levels = rng.integers(0, 5, (planes, 12, 40)) * (SCORE_ONE // 4)
    scores = torch.from_numpy(levels.astype(np.int32))[:, 2:11, 3:37]
    mask = rng.random((12, 40))[2:11, 3:37] > 0.2
    channel, percent = decide(scores) if planes == 3 else decide(scores[:3], scores[3:])
    classes = np.array(IDS, np.uint8)[channel]
    classes[percent.numpy() < least] = UNKNOWN
    expected = np.where(mask, np.stack([classes, percent]), np.uint8(NODATA))
    made = Layers(IDS, min_confidence=least).decide(scores, mask)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, expected)
