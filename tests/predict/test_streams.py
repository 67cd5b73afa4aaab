"""Streams: every item once, side by side, each in a stream of its own."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from contextlib import contextmanager, suppress

import pytest
import torch

from geoseg.models.find import load_package
from geoseg.predict import Compute
from geoseg.predict.loaded_model import _load, load_model
from geoseg.predict.streams import in_streams, own_stream, share_cores

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_every_item_is_worked_on_once_by_as_many_threads_as_lanes():
    together, seen = threading.Barrier(2, timeout=10), []

    def work(item):
        together.wait()  # nobody passes alone
        seen.append((item, threading.current_thread().name, torch.get_num_threads()))

    in_streams(work, range(6), device=CPU, streams=2, threads=1)
    assert sorted(item for item, *_ in seen) == list(range(6))
    assert len({name for _, name, _ in seen}) == 2
    assert {threads for *_, threads in seen} == {1}


def test_a_stream_leaves_the_threads_of_the_rest_of_the_process_alone():
    before = torch.get_num_threads()
    in_streams(lambda _: None, [0], device=CPU, streams=1, threads=before + 1)
    assert torch.get_num_threads() == before


def test_the_first_failure_is_raised_and_what_waits_is_left_out():
    begun = []

    def work(item):
        begun.append(item)
        if item:
            time.sleep(0.01)  # in which whoever waits hears of the first
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        in_streams(work, range(1000), device=CPU, streams=1, threads=1)
    assert len(begun) < 1000


def test_a_failure_leaves_nothing_under_way_and_no_memory_held():
    """A device's memory is free for whoever tries again with less."""
    started, held, ended = threading.Event(), [], []

    class Tensor:
        """Something that a weak reference can follow."""

    def work(item):
        if item == 0:
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            assert started.wait(10)
            raise torch.OutOfMemoryError(item)
        started.set()
        time.sleep(0.05)
        ended.append(item)

    gc.disable()
    try:
        with pytest.raises(torch.OutOfMemoryError) as caught:
            in_streams(work, range(2), device=CPU, streams=2, threads=1)
        assert ended == [1]
        del caught
        assert held[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("processes", [1, 2, 3, 1000])
def test_processes_share_the_cores(processes, monkeypatch):
    monkeypatch.setattr("geoseg.predict.streams.CORES", 64)
    streams, threads = share_cores(processes)
    assert 1 <= streams * threads <= max(64 // processes, 1)
    assert streams <= 8


@pytest.fixture
def messages(monkeypatch):
    """Give what a stand-in for a GPU's streams is told, in a thread without one."""
    told = []

    class Stream:
        def __init__(self, device):
            told.append(f"stream on {device}")

        def wait_stream(self, other):
            told.append(f"wait for {other}")

        def synchronize(self):
            told.append("done")

    @contextmanager
    def use(_):
        told.append("begin")
        try:
            yield
        finally:
            told.append("end")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", use)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda _: "the default stream")
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr("geoseg.predict.streams._of_thread", threading.local())
    return told


IN_A_STREAM = ["wait for the default stream", "begin", "work", "end", "done"]


def test_a_gpu_stream_follows_what_is_queued_and_is_done_when_left(messages):
    with own_stream(CUDA):
        messages.append("work")
    assert messages == ["stream on cuda", *IN_A_STREAM]


def test_a_thread_keeps_its_stream_and_with_it_the_memory_freed_there(messages):
    def work():
        for _ in range(2):
            with own_stream(CUDA):
                messages.append("work")

    work()
    assert messages == ["stream on cuda", *IN_A_STREAM, *IN_A_STREAM]
    other = threading.Thread(target=work)
    other.start()
    other.join()
    assert messages.count("stream on cuda") == 2


def test_what_failed_in_a_stream_is_waited_for(messages):
    with suppress(ValueError), own_stream(CUDA):
        messages.append("work")
        raise ValueError
    assert messages[1:] == IN_A_STREAM


def test_a_model_is_on_the_device_before_another_stream_may_use_it(
    messages, monkeypatch
):
    """Whoever comes first loads it in a stream of its own; others are not ordered."""
    package = load_package("sentinel2-landcover")
    compute = Compute("cuda", "float32", 1, 1, 1, "test")
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *_, **__: self)
    try:
        load_model(package, compute)
    finally:
        _load.cache_clear()
    assert messages == ["stream on cuda", "done"]
    assert not torch.backends.cudnn.allow_tf32
