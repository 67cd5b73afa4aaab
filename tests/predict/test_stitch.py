"""Weights, sums and decisions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import ShapeError
from geoseg.geo.tiling import Axis, Tile
from geoseg.geo.windows import Window
from geoseg.predict.fixed_point import SCORE_ONE, WEIGHT_ONE
from geoseg.predict.stitch import (
    BLENDS,
    Accumulator,
    axis_weights,
    decide,
    tile_weights,
)

CPU = torch.device("cpu")


@given(
    st.integers(1, 20), st.integers(0, 10), st.integers(1, 90), st.sampled_from(BLENDS)
)
def test_weights_sum_to_exactly_one_at_every_pixel(half, overlap, length, blend):
    tile = 2 * half
    axis = Axis(length, tile, min(2 * overlap, half - half % 2), 0, 1)
    total = np.zeros(length, np.int64)
    for index in range(axis.tiles):
        weights = axis_weights(axis, index, blend)
        assert weights.min() >= 0
        for pixel, weight in zip(range(*axis.view(index)), weights, strict=True):
            if 0 <= pixel < length:
                total[pixel] += weight
    assert (total == WEIGHT_ONE).all()


def test_hann_weights_are_the_window_normalised_to_within_one_step():
    axis = Axis(400, 64, 16, 0, 1)
    window = np.hanning(2 * 64 + 1)[1::2]  # half-sample
    later, earlier = window[:16], window[-16:]
    weights = axis_weights(axis, 1, "hann")
    expected = WEIGHT_ONE * later / (later + earlier)
    assert np.abs(weights[:16] - expected).max() < 1
    assert (weights[16:48] == WEIGHT_ONE).all()


def test_crop_weights_are_the_core():
    axis = Axis(400, 64, 16, 0, 1)
    assert list(axis_weights(axis, 1, "crop")) == [0] * 8 + [WEIGHT_ONE] * 48 + [0] * 8


def test_sums_do_not_depend_on_the_order_of_tiles():
    rng = np.random.default_rng(1)
    axis = Axis(40, 16, 8, 3, 1)
    tiles = [Tile(r, c) for r in range(axis.tiles) for c in range(axis.tiles)]
    probabilities = {
        t: torch.from_numpy(rng.random((3, 16, 16), np.float32)) for t in tiles
    }
    results = []
    for order in (tiles, tiles[::-1]):
        sums = Accumulator(Window(0, 0, 40, 40), 3, CPU)
        for tile in order:
            view = Window.between(axis.view(tile.row), axis.view(tile.col))
            sums.add(
                probabilities[tile], view, tile_weights((axis, axis), tile, "hann")
            )
        results.append(sums.scores(Window(0, 0, 40, 40)))
    assert torch.equal(*results)


def test_certainty_everywhere_gives_the_whole_score():
    axis = Axis(30, 8, 4, 0, 2)
    sums = Accumulator(Window(0, 0, 30, 30), 2, CPU)
    sure = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)])
    for row in range(axis.tiles):
        for col in range(axis.tiles):
            view = Window.between(axis.view(row), axis.view(col))
            sums.add(sure, view, tile_weights((axis, axis), Tile(row, col), "hann"))
    scores = sums.scores(Window(0, 0, 30, 30))
    assert (scores[1] == SCORE_ONE).all()
    assert (scores[0] == 0).all()


def test_the_lowest_class_wins_a_tie_and_confidence_is_rounded_half_up():
    one = SCORE_ONE
    scores = torch.tensor([[[one // 2, 0, one // 8]], [[one // 2, one, one // 4]]])
    channel, percent = decide(scores.to(torch.int32))
    assert channel.tolist() == [[0, 1, 1]]
    assert percent.tolist() == [[50, 100, 25]]
    _, percent = decide(torch.tensor([[[one // 200]]], dtype=torch.int32))  # 0.49999 %
    assert percent.tolist() == [[0]]
    _, percent = decide(torch.tensor([[[one // 200 + 1]]], dtype=torch.int32))
    assert percent.tolist() == [[1]]


def test_confidence_is_that_of_the_chosen_class_in_the_scores_that_are_given():
    one = SCORE_ONE
    refined = torch.tensor([[[one, 0]], [[0, one]]], dtype=torch.int32)
    calibrated = torch.tensor([[[one // 4, one // 8]], [[3 * (one // 4), one]]])
    channel, percent = decide(refined, calibrated.to(torch.int32))
    assert channel.tolist() == [[0, 1]]
    assert percent.tolist() == [[25, 100]]


def test_a_tile_outside_the_window_adds_nothing():
    sums = Accumulator(Window(0, 0, 8, 8), 1, CPU)
    axis = Axis(100, 8, 0, 0, 1)
    weights = tile_weights((axis, axis), Tile(0, 1), "hann")
    sums.add(torch.ones(1, 8, 8), Window(0, 8, 8, 8), weights)
    assert not sums.scores(Window(0, 0, 8, 8)).any()


def test_a_tile_of_another_shape_is_refused():
    sums = Accumulator(Window(0, 0, 8, 8), 2, CPU)
    axis = Axis(8, 8, 0, 0, 1)
    with pytest.raises(ShapeError, match=r"\(2, 8, 8\).*got \(3, 8, 8\)"):
        sums.add(
            torch.ones(3, 8, 8),
            Window(0, 0, 8, 8),
            tile_weights((axis, axis), Tile(0, 0), "mean"),
        )
