"""What a worker does with memory that is free again."""

import multiprocessing
import platform
from resource import RUSAGE_SELF, getrusage

import numpy as np
import pytest

from geoseg.run.cluster.memory import hold_freed_memory


def faults():
    """Count the pages that a hundred arrays of 1 MiB, one after another, make new."""
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)
    return getrusage(RUSAGE_SELF).ru_minflt - before


def before_with_and_after():
    counts = []
    for hold in (False, True, False):
        hold_freed_memory(hold=hold)
        counts.append(faults())
    return counts


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other heaps differ")
def test_a_run_keeps_what_arrays_free_and_leaves_the_worker_as_it_was(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with multiprocessing.get_context("spawn").Pool(1) as child:
        before, held, after = child.apply(before_with_and_after)
    assert before > 20_000  # 256 pages of 4 KiB each
    assert held < before / 20
    assert after > before / 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other heaps differ")
def test_where_no_nanny_set_a_threshold_nothing_is_changed(monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("looked at the heap"))
    hold_freed_memory(hold=True)
