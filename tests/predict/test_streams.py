"""Streams: every item once, side by side, each in a stream of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
import torch

from geoseg.predict.streams import in_streams, own_stream, share_cores

CPU = torch.device("cpu")


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
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        in_streams(work, range(1000), device=CPU, streams=1, threads=1)
    assert len(begun) < 1000


@pytest.mark.parametrize("processes", [1, 2, 3, 1000])
def test_processes_share_the_cores(processes, monkeypatch):
    monkeypatch.setattr("geoseg.predict.streams.CORES", 64)
    streams, threads = share_cores(processes)
    assert 1 <= streams * threads <= max(64 // processes, 1)
    assert streams <= 8


def test_a_gpu_stream_follows_what_is_queued_and_is_done_when_left(monkeypatch):
    messages = []

    class Stream:
        def __init__(self, device):
            messages.append(f"stream on {device}")

        def wait_stream(self, other):
            messages.append(f"wait for {other}")

        def synchronize(self):
            messages.append("done")

    @contextmanager
    def use(_):
        messages.append("begin")
        yield
        messages.append("end")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", use)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda _: "the default stream")
    with own_stream(torch.device("cuda")):
        messages.append("work")
    assert messages == [
        "stream on cuda",
        "wait for the default stream",
        "begin",
        "work",
        "end",
        "done",
    ]
