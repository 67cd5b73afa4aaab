"""Several looks at one ground as one image, beside numpy over the whole stack."""

import math
import pickle
import warnings
from datetime import date
from itertools import product

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from members import write_raster

from geoseg import InputError, SceneOptions, Window, open_scene
from geoseg.scene.composite import read as composite_read
from geoseg.scene.composite.dates import moment, parse_interval
from geoseg.scene.composite.rules import CompositeRecipe, combine

NAMES = ("B04", "B08", "B11")
HEIGHT, WIDTH, DATES = 41, 67, 7
TRANSFORM = Affine(10, 0, 399_960, 0, -10, 5_800_020)
DAYS = [f"2024:0{1 + at % 6}:1{at} 10:20:30" for at in range(DATES)]
RULES = ("median", "medoid", "mean", "max-ndvi", "newest-clear")


def noise(seed, high=9):
    """Draw pixels that are often equal, a sixth of them without data, some nowhere."""
    rng = np.random.default_rng(seed)
    stack = rng.integers(1, high, (DATES, len(NAMES), HEIGHT, WIDTH)).astype(np.uint16)
    stack[
        np.broadcast_to(rng.random((DATES, 1, HEIGHT, WIDTH)) < 1 / 6, stack.shape)
    ] = 0
    stack[:, :, 5:9, 5:11] = 0
    return stack


def write_looks(folder, stack, days=DAYS):
    """Write each look as a file that says its day, in no order of time."""
    folder.mkdir(exist_ok=True)
    paths = []
    for at, (pixels, day) in enumerate(zip(stack, days, strict=True)):
        path = write_raster(folder / f"look{at}.tif", pixels, TRANSFORM, names=NAMES)
        if day:
            with rasterio.open(path, "r+") as dataset:
                dataset.update_tags(TIFFTAG_DATETIME=day)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """Give seven looks at one ground: their files, and the stack, newest first."""
    stack = noise(4)
    paths = write_looks(tmp_path_factory.mktemp("looks"), stack)
    order = sorted(range(DATES), key=lambda at: DAYS[at], reverse=True)
    return paths, stack[order]


def expected(stack, rule):
    """Say in float64, over the whole stack, what a rule gives; NaN where nothing is."""
    numbers = np.where(stack == 0, np.nan, stack.astype(np.float64))
    if rule in {"median", "mean"}:
        reduce = np.nanmedian if rule == "median" else np.nanmean
        with warnings.catch_warnings():  # of pixels that no look shows
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.rint(reduce(numbers, axis=0))
    best = chosen_by(numbers, rule)
    picked = np.take_along_axis(numbers, np.maximum(best, 0)[None, None], axis=0)[0]
    return np.where(best < 0, np.nan, picked)


def chosen_by(numbers, rule):
    """Say which look each pixel is of, the first of equals; -1 where there is none."""
    clear = np.isfinite(numbers[:, 0])
    if rule == "medoid":
        gaps = numbers[:, None] - numbers[None]
        squares = sum(gaps[:, :, band] ** 2 for band in range(len(NAMES)))
        sums = np.zeros(clear.shape)
        for other in range(len(numbers)):
            sums += np.nan_to_num(np.sqrt(squares[:, other]))
        score = np.where(clear, -sums, -np.inf)
    elif rule == "max-ndvi":
        red, nir = numbers[:, 0], numbers[:, 1]
        score = np.where(clear, (nir - red) / (nir + red), -np.inf)
    else:
        score = np.where(clear, 0.0, -np.inf)
    return np.where(clear.any(axis=0), score.argmax(axis=0), -1)


@pytest.mark.parametrize("rule", RULES)
def test_a_composite_is_what_numpy_makes_of_the_whole_stack(looks, rule):
    paths, stack = looks
    scene = open_scene(paths, SceneOptions(mosaic=rule))
    pixels, valid = scene.read(scene.window)
    wanted = expected(stack, rule)
    assert np.array_equal(valid, np.isfinite(wanted).all(axis=0))
    assert not valid[5:9, 5:11].any()
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels[:, valid], wanted[:, valid])
    found = scene.composite(scene.window)
    assert np.array_equal(found.counts, (stack[:, 0] > 0).sum(axis=0))
    if rule not in {"median", "mean"}:
        numbers = np.where(stack == 0, np.nan, stack.astype(np.float64))
        assert np.array_equal(found.chosen, chosen_by(numbers, rule))


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=12)
@given(data=st.data())
def test_however_windows_and_strips_are_cut_a_composite_is_the_same(looks, rule, data):
    scene = open_scene(looks[0], SceneOptions(mosaic=rule))
    whole, valid = scene.read(scene.window)
    row, col = (
        data.draw(st.integers(0, HEIGHT - 1)),
        data.draw(st.integers(0, WIDTH - 1)),
    )
    height = data.draw(st.integers(1, HEIGHT - row))
    window = Window(row, col, height, data.draw(st.integers(1, WIDTH - col)))
    bands = data.draw(st.sampled_from([(0, 1, 2), (2,), (1, 0), (2, 2)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composite_read, "STACK_BYTES", data.draw(st.integers(1, 40_000)))
        pixels, part = scene.read(window, bands)
    assert np.array_equal(part, valid[window.slices()])
    assert pixels.tobytes() == whole[(list(bands), *window.slices())].tobytes()


@pytest.mark.parametrize("dates", [1, 2, 3, 4, 5, 7, 8, 13, 20, 33, 77])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_the_median_of_any_count_and_dtype_is_that_of_numpy(dates, dtype):
    rng = np.random.default_rng(dates)
    stack = (rng.normal(100, 30, (dates, 2, 5, 7)) % 250).astype(dtype)
    valid = rng.random((dates, 5, 7)) < 0.8
    valid[0, 0, 0] = True
    found = combine(stack, valid, CompositeRecipe("median"), (0, 1))
    numbers = np.ma.MaskedArray(stack.astype(np.float64), mask=False)
    numbers.mask = np.broadcast_to(~valid[:, None], stack.shape)
    wanted = np.ma.median(numbers, axis=0).filled(0)
    wanted = np.rint(wanted) if stack.dtype.kind in "ui" else wanted
    assert np.array_equal(found.pixels, wanted.astype(dtype))
    assert np.array_equal(found.counts, valid.sum(axis=0))


def test_the_largest_number_of_a_dtype_counts_as_any_other():
    stack = np.array([65535, 7, 65535, 1, 65535], np.uint16).reshape(5, 1, 1, 1)
    valid = np.array([1, 1, 1, 0, 0], bool).reshape(5, 1, 1)
    found = combine(stack, valid, CompositeRecipe("median"), (0,))
    assert found.pixels.item() == 65535


def test_a_row_longer_than_what_is_sorted_at_once_is_the_median_of_numpy():
    rng = np.random.default_rng(5)
    stack = rng.integers(0, 5, (6, 1, 2, 700)).astype(np.uint8)
    valid = rng.random((6, 2, 700)) < 0.6
    found = combine(stack, valid, CompositeRecipe("median"), (0,))
    numbers = np.where(valid, stack[:, 0].astype(float), np.nan)
    clear = valid.any(axis=0)
    wanted = np.rint(np.nanmedian(numbers[:, clear], axis=0))
    assert np.array_equal(found.pixels[0, clear], wanted)
    assert not found.pixels[0, ~clear].any()


@pytest.mark.parametrize("size", [1, 900, 70_000])
def test_strips_partition_a_window_and_hold_what_they_may(size):
    most = composite_read.STACK_BYTES
    for height, width in product((1, 511, 1300), (1, 700, 1500)):
        window = Window(17, 33, height, width)
        seen = np.zeros((17 + height, 33 + width), np.uint8)
        for strip in composite_read.strips(window, size):
            seen[strip.slices()] += 1
            assert strip.pixels * size <= most
        assert (seen[17:, 33:] == 1).all()
        assert seen.sum() == window.pixels


def test_tiles_of_one_day_are_one_look(tmp_path):
    low, high = np.full((2, 3, 20, 30), 1000, np.uint16)
    high += 500
    stack = np.stack([low, low, high, high, high])
    # Two tiles of one pass, seconds apart, and three other days.
    days = [
        *("2024:06:01 10:20:30", "2024:06:01 10:20:44"),
        *("2024:06:11 10:20:30", "2024:06:21 10:20:30", "2024:07:01 10:20:30"),
    ]
    scene = open_scene(write_looks(tmp_path, stack, days), SceneOptions(mosaic="mean"))
    assert [look.day for look in scene.observations] == [
        *(date(2024, 7, 1), date(2024, 6, 21), date(2024, 6, 11), date(2024, 6, 1)),
    ]
    assert len(scene.observations[-1].members) == 2
    pixels, _ = scene.read(scene.window)
    assert (pixels == (1000 + 3 * 1500) / 4).all()
    assert (scene.composite(scene.window).counts == 4).all()
    assert pickle.loads(pickle.dumps(scene)) == scene  # noqa: S301  # just made


def test_a_day_is_that_of_the_sun_and_not_of_greenwich(tmp_path):
    pixels = np.full((1, 4, 4), 7, np.uint16)
    paths = []
    # Kamchatka, 160 degrees east: ten in the morning is a quarter to midnight before.
    for at, when in enumerate(("2024:06:01 23:59:50", "2024:06:02 00:00:10")):
        transform = Affine(1e-4, 0, 160, 0, -1e-4, 55)
        path = write_raster(tmp_path / f"{at}.tif", pixels, transform, crs="EPSG:4326")
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=when)
        paths.append(path)
    scene = open_scene(paths, SceneOptions(mosaic="median"))
    assert [look.day for look in scene.observations] == [date(2024, 6, 2)]


def test_near_decides_which_of_equals_and_which_is_nearest(looks):
    paths, _ = looks
    scene = open_scene(paths, SceneOptions(mosaic="nearest-clear", near="2024-03-20"))
    days = [look.day for look in scene.observations]
    gaps = [abs((day - date(2024, 3, 20)).days) for day in days]
    assert gaps == sorted(gaps)
    found = scene.composite(scene.window)
    assert (found.chosen[found.counts == DATES] == 0).all()
    assert np.array_equal(scene.read(scene.window)[0], found.pixels)


def test_only_what_was_taken_then_counts_and_the_grid_stays(looks):
    paths, _ = looks
    scene = open_scene(paths, SceneOptions(mosaic="median", datetime="2024-02/2024-03"))
    assert {look.day.month for look in scene.observations} == {2, 3}
    assert scene.geobox == open_scene(paths).geobox


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mosaic": "nearest-clear"}, "needs a date to be near: give `near`"),
        ({"mosaic": "least-cloud"}, "does not say how cloudy it is"),
        ({"mosaic": "median", "valid": "any"}, "weighs whole pixels"),
        ({"mosaic": "medoid", "near": "soon"}, "`near` is a day"),
        ({"mosaic": "median", "near": "2024-06"}, "`mosaic=median` does not go by"),
        ({"near": "banana"}, "`mosaic=first` does not go by; leave it out"),
        ({"datetime": "2024-13"}, "`datetime` is a day, a month, a year"),
        ({"datetime": "2024-05/2023-01"}, "ends before it begins"),
        (
            {"datetime": "2019"},
            "there is 2024-01-10, 2024-01-16, 2024-02-11 and 4 more",
        ),
    ],
)
def test_what_cannot_be_composed_is_refused(looks, options, words):
    with pytest.raises(InputError, match=words):
        open_scene(looks[0], SceneOptions(**options))


@pytest.mark.parametrize("rule", ["newest-clear", "nearest-clear"])
def test_a_rule_that_goes_by_dates_needs_them(tmp_path, rule):
    paths = write_looks(tmp_path, noise(1), [*DAYS[:-1], ""])
    near = "2024-06" if rule == "nearest-clear" else None
    with pytest.raises(
        InputError, match=r"look6.tif does not say when it was acquired"
    ):
        open_scene(paths, SceneOptions(mosaic=rule, near=near))
    undated = open_scene(paths, SceneOptions(mosaic="median")).observations
    assert [look.day is None for look in undated] == [False] * (DATES - 1) + [True]


def test_an_index_needs_its_bands(tmp_path):
    pixels = np.ones((2, 2, 9, 9), np.uint16)
    paths = [
        write_raster(tmp_path / f"{at}.tif", each, TRANSFORM, names=("B02", "B04"))
        for at, each in enumerate(pixels)
    ]
    with pytest.raises(InputError, match="needs a red and a near infrared band"):
        open_scene(paths, SceneOptions(mosaic="max-ndvi"))


def test_no_index_goes_behind_any_index():
    stack = np.array([[-5, 4], [0, 0], [3, 1]], np.float32).reshape(3, 2, 1, 1)
    valid = np.ones((3, 1, 1), np.bool_)
    found = combine(stack, valid, CompositeRecipe("max-ndvi", (0, 1)), (0, 1))
    assert found.chosen[0, 0] == 2  # an NDVI of -0.5, and no other date has one


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2023:01:31 10:15:00.5", "2023-01-31T10:15:00.500000+00:00"),
        ("2023-01-31T10:15:00Z", "2023-01-31T10:15:00+00:00"),
        ("20230131", "2023-01-31T00:00:00+00:00"),
        ("2023:02:30 10:15:00", None),
        ("", None),
    ],
)
def test_moments_are_read_as_files_and_items_write_them(text, wanted):
    found = moment(text)
    assert (found and found.isoformat()) == wanted


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("../2024-02-03", "1999-01-01", "2024-02-03"),
        ("2024-02-03T12:00:00Z/..", "2024-02-04", "2999-01-01"),
    ],
)
def test_an_interval_holds_its_first_and_its_last_day(text, first, last):
    found = parse_interval(text)
    assert moment(first) in found
    assert moment(f"{last} 23:59:59") in found
    assert math.isfinite(len(str(found)))
