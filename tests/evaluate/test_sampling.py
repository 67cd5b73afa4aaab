"""Points to label: their numbers add up, and chance alone decides where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import ArrayMap, terrain

import geoseg
from geoseg.errors import PlanError
from geoseg.evaluate.sampling import allocate, count_classes, draw

CLASSES = st.lists(
    st.tuples(st.integers(0, 10_000), st.floats(0.01, 1)), min_size=1, max_size=8
)


@settings(deadline=None)
@given(classes=CLASSES, points=st.integers(1, 2000), minimum=st.integers(0, 100))
def test_every_class_gets_its_minimum_and_all_points_are_given(
    classes, points, minimum
):
    pixels = np.array([count for count, _ in classes])
    shares = pixels * np.array([share for _, share in classes])
    least = np.minimum(minimum, pixels)
    if not least.sum() <= points <= pixels.sum():
        with pytest.raises(PlanError):
            allocate(points, shares, pixels=pixels, minimum=minimum)
        return
    given = allocate(points, shares, pixels=pixels, minimum=minimum)
    assert given.sum() == points
    assert (given >= least).all()
    assert (given <= pixels).all()
    # Of two classes between their limits, the one with more shares gets no fewer.
    free = np.flatnonzero((given > least) & (given < pixels))
    order = free[np.argsort(shares[free])]
    assert (np.diff(given[order]) >= -1).all()


def test_shares_are_kept_where_no_limit_is_in_the_way():
    pixels = np.array([1000, 3000, 6000])
    assert allocate(100, pixels * 1.0, pixels=pixels, minimum=0).tolist() == [
        10, 30, 60,
    ]  # fmt: skip
    # As Olofsson et al. (2014) advise: rare classes get a minimum, and the others share
    # the rest by their areas.
    pixels = np.array([200_000, 150_000, 3_200_000, 6_450_000])
    given = allocate(641, pixels * 1.0, pixels=pixels, minimum=75)
    assert given.tolist() == [75, 75, 163, 328]


@pytest.fixture(scope="module")
def raster():
    return ArrayMap(terrain(4, (90, 70), 2))


def drawn_of(raster, wanted, **settings):
    counts = count_classes(raster)
    return draw(raster, wanted, counts, **{"seed": 0, **settings})


def wanting(*points):
    return np.array([*points, *[0] * (256 - len(points))])


def test_points_lie_in_their_class_each_pixel_once(raster):
    wanted = wanting(40, 0, 25)
    drawn = drawn_of(raster, wanted)
    assert np.bincount(drawn.ids, minlength=256).tolist() == wanted.tolist()
    np.testing.assert_array_equal(raster.pixels[drawn.rows, drawn.cols], drawn.ids)
    assert len(set(zip(drawn.rows.tolist(), drawn.cols.tolist(), strict=True))) == 65
    assert (np.diff(drawn.ids.astype(int)) != 0).sum() > 20  # in no order of classes


def test_neither_blocks_nor_their_order_show(raster):
    wanted = wanting(40, 3, 25)
    whole = drawn_of(raster, wanted)
    for block, order in ((16, 1), (33, -1)):
        pieces = drawn_of(
            raster,
            wanted,
            block=block,
            map_blocks=lambda f, items, order=order: [f(i) for i in [*items][::order]],
        )
        for name in ("rows", "cols", "ids"):
            np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))


def test_a_larger_sample_holds_the_smaller_one_and_another_seed_another(raster):
    def drawn_pixels(**settings):
        drawn = drawn_of(raster, **settings)
        return set(zip(drawn.rows.tolist(), drawn.cols.tolist(), strict=True))

    few = drawn_pixels(wanted=wanting(30, 20))
    assert few < drawn_pixels(wanted=wanting(300, 20))
    assert len(few & drawn_pixels(wanted=wanting(30, 20), seed=1)) < 10


def test_a_class_may_be_taken_whole(raster):
    counts = count_classes(raster)
    wanted = np.where(np.arange(256) == 1, counts, 0)
    drawn = drawn_of(raster, wanted)
    assert len(drawn.ids) == (raster.pixels == 1).sum()


def test_every_pixel_has_the_same_chance():
    """Over many seeds, counts of single pixels are those of a binomial."""
    raster = ArrayMap(np.zeros((6, 5), np.uint8))
    times, each = 2000, 6
    hits = np.zeros((6, 5), int)
    for seed in range(times):
        drawn = drawn_of(raster, wanting(each), seed=seed)
        hits[drawn.rows, drawn.cols] += 1
    expected = times * each / 30
    variance = expected * (1 - each / 30)
    chi_squared = ((hits - expected) ** 2 / variance).sum() * 29 / 30
    assert 13 < chi_squared < 53  # 99.9 % of chi-squared with 29 degrees of freedom


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Draw, label and estimate 400 times: the true areas are known."""
    truth = terrain(11, (120, 100), 3)
    truth[truth == 255] = 0
    noise = np.random.default_rng(2).random(truth.shape)
    mapped = np.where(noise < 0.2, np.roll(truth, 9, axis=1), truth)
    raster = ArrayMap(mapped)
    counts = count_classes(raster)
    true_areas = np.bincount(truth.ravel(), minlength=3)
    held = np.zeros(3)
    estimates = []
    for seed in range(400):
        drawn = draw(raster, wanting(60, 60, 60), counts, seed=seed)
        matrix = np.zeros((3, 3), int)
        np.add.at(matrix, (drawn.ids, truth[drawn.rows, drawn.cols]), 1)
        found = geoseg.stratified_estimates(matrix, counts[:3])
        estimates.append(found.area.value)
        held += (found.area.low <= true_areas) & (true_areas <= found.area.high)
    assert ((held / 400 > 0.91) & (held / 400 < 0.985)).all()
    spread = np.std(estimates, axis=0) / 20
    assert (abs(np.mean(estimates, axis=0) - true_areas) < 4 * spread).all()
