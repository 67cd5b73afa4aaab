"""Ground that is not held: planes in a file, gone through by strips."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import DiskError
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import Split, covered, covered_rows
from geoseg.storage.spool import Spool
from geoseg.train.samples import Chips, find_anchors, find_labelled, labelled_rows
from geoseg.train.strips import mean_and_deviation


def spooled(values, spool=None):
    """Put an array into a file, in two pieces."""
    array = (spool or Spool()).array(values.shape, values.dtype)
    half = values.shape[-2] // 2
    array.put(half, values[..., half:, :])
    array.put(0, values[..., :half, :])
    return array


def test_what_is_put_into_a_file_is_what_is_taken_of_it(tmp_path):
    random, spool = np.random.default_rng(0), Spool(tmp_path)
    held = [
        random.normal(size=(3, 37, 53)).astype(np.float32),
        random.random((37, 53)) < 0.5,
        random.integers(0, 255, (41, 29), np.uint8),
    ]
    files = [spooled(each, spool) for each in held]
    del spool  # the file lives as long as an array in it
    gc.collect()
    assert not any(tmp_path.iterdir())  # and has no name
    for array, values in zip(files, held, strict=True):
        part = (..., slice(5, 17), slice(11, 23))
        np.testing.assert_array_equal(array[part], values[part])
        np.testing.assert_array_equal(array[:], values)
        assert (array.shape, array.dtype) == (values.shape, values.dtype)


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    array = spool.array((4, 4), np.uint8)

    class Full:
        def seek(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "file", Full())
    with pytest.raises(DiskError, match="is full"):
        array.put(0, np.zeros((4, 4), np.uint8))


@given(st.integers(1, 4000), st.integers(1, 700), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_statistics_are_numpy_s_to_the_last_bit(count, size, seed):
    values = np.random.default_rng(seed).normal(1000, 300, count)
    pieces = range(0, count, size)
    found = mean_and_deviation(
        lambda: (values[at : at + size] for at in pieces), at_once=256
    )
    assert found == (values.mean(), values.std())


@given(st.integers(3, 12), st.integers(1, 40), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_rows_that_chips_show_are_those_of_the_whole(chip, rows, seed):
    corners = np.random.default_rng(seed).random((53 - chip, 31 - chip)) < 0.01
    whole = covered(corners, chip)
    for start in range(0, len(whole), rows):
        part = slice(start, min(start + rows, len(whole)))
        np.testing.assert_array_equal(covered_rows(corners, chip, part), whole[part])


def test_labelled_pixels_are_found_by_their_number():
    labels = np.random.default_rng(1).choice(
        [0, 3, NODATA], (23, 31), p=[0.1, 0.2, 0.7]
    )
    labels = labels.astype(np.uint8)
    seen = spooled(labels)
    for anchors in find_anchors(seen):
        flat = np.flatnonzero(labels == anchors.channel)
        assert anchors.count == len(flat)
        places = [anchors.find(number, seen) for number in range(len(flat))]
        assert [row * 31 + col for row, col in places] == flat.tolist()
    known = np.argwhere(labels != NODATA)
    ends = labelled_rows(seen)
    found = [find_labelled(ends, number, seen) for number in range(len(known))]
    assert found == list(map(tuple, known.tolist()))


def test_chips_of_files_are_those_of_arrays():
    random, split = np.random.default_rng(2), Split(96, 160, 0, 32, 2)
    image = random.normal(size=(3, 96, 160)).astype(np.float32)
    labels = random.choice([0, 1, NODATA], (96, 160)).astype(np.uint8)
    corners = split.training_corners(16)
    held = Chips.of(image, labels, corners)
    files = Chips.of(*map(spooled, (image, labels, corners)), spooled(held.seen))
    assert [a.count for a in held.anchors] == [a.count for a in files.anchors]
    for seed in range(20):
        drawn = (
            each.draw(seed % 2, np.random.default_rng(seed)) for each in (held, files)
        )
        for one, other in zip(*drawn, strict=True):
            np.testing.assert_array_equal(one, other)
    assert replace(files, image=image).chip == 16
