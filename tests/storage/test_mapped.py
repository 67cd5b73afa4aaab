"""Arrays in files: as those in memory, and their room is taken before they are used."""

import os

import numpy as np
import pytest
from small_disks import small_files

from geoseg.errors import DiskError
from geoseg.storage import mapped
from geoseg.storage.mapped import Arrays


def test_an_array_in_a_file_is_zeros_that_can_be_written_and_leaves_nothing(tmp_path):
    arrays = Arrays(tmp_path, held=0)
    array = arrays.zeros((7, 3), np.int32)
    assert (array == 0).all()
    array[2:5] = [[1, 2, 3]]
    arrays.trim()  # what is given back to the system is there all the same
    assert array.sum() == 18
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("held", [0, 100, 10**6])
def test_what_grows_is_what_was_appended_wherever_it_waits(held, tmp_path):
    for folder in (None, tmp_path):
        growing = Arrays(folder, held).growing(np.int32, 2)
        parts = [np.arange(2 * n).reshape(n, 2) for n in (5, 0, 17, 1)]
        for part in parts:
            growing.append(part)
        assert growing.count == 23
        np.testing.assert_array_equal(growing.whole(), np.concatenate(parts))


def test_nothing_appended_is_an_array_without_rows(tmp_path):
    assert Arrays(tmp_path, 0).growing(np.int32, 4).whole().shape == (0, 4)


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path):
    arrays = Arrays(tmp_path, held=0)
    growing = arrays.growing(np.float64)
    with small_files(4096):
        with pytest.raises(DiskError, match="lines of polygons"):
            arrays.zeros(1000, np.float64)
        with pytest.raises(DiskError, match="lines of polygons"):
            growing.append(np.zeros(1000))


def test_room_is_taken_where_the_system_has_no_call_for_it(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(mapped, "_CHUNK", 1000)
    array = Arrays(tmp_path, held=0).zeros(1234, np.int64)
    array += 7
    assert array.sum() == 7 * 1234
    with small_files(4096), pytest.raises(DiskError, match="lines of polygons"):
        Arrays(tmp_path, held=0).zeros(1000, np.float64)


def test_files_are_given_back_while_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "_LOOSE", -1)
    monkeypatch.setattr(mapped, "_TICK_S", 0.001)
    arrays, trimmed = Arrays(tmp_path, held=0), []
    monkeypatch.setattr(arrays, "trim", lambda: trimmed.append(True))
    with arrays.trimmed():
        while len(trimmed) < 2:
            pass
    assert len(trimmed) > 2  # and at the end
