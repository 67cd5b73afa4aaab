"""Streams: the threads of a process that send tiles through the model side by side.

On a CPU a stream computes with few threads of its own, since one operation that all
cores share waits at its end for the slowest of them, and longer where a core is busy
decoding: a ResNet-18 U-Net took 50 ms a tile in two streams of one thread, and 64 to 72
in one stream of two. On a GPU each stream has its own stream, so that one copies while
the other computes. Streams never show in the result: each batch is computed in one.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import TYPE_CHECKING, TypeVar

import torch

from geoseg.geo.allocator import share_heaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
_of_thread = local()

CORES = torch.get_num_threads()
"""Threads that torch found fit for this process, before a stream asked for fewer."""
MOST_STREAMS = 8
"""More hold more tiles in memory than they gain."""


def share_cores(processes: int = 1) -> tuple[int, int]:
    """Give the streams of one of several processes, and the threads of a stream."""
    cores = max(CORES // processes, 1)
    streams = min(cores, MOST_STREAMS)
    return streams, cores // streams


def in_streams(
    work: Callable[[Item], object],
    items: Iterable[Item],
    *,
    device: torch.device,
    streams: int,
    threads: int,
) -> None:
    """Do some work on each item, in any order, and wait until it is done.

    Args:
        work: What to do; it waits for the device before it shares what it made.
        items: What to do it on.
        device: Where it computes.
        streams: How many items at a time, over all that this process computes.
        threads: Threads that one operation uses on a CPU.

    Raises:
        Exception: What `work` raises first; items that wait are left out.

    """
    pool = _pool(streams, threads)
    futures = deque(pool.submit(_in_stream, work, item, device) for item in items)
    try:
        while futures:  # no name holds one that fails: its error would hold it in turn,
            futures.popleft().result()  # and with it what it had on the device
    finally:
        for future in futures:
            future.cancel()
        wait(futures)  # they hold memory that whoever tries again with less needs


@cache
def _pool(streams: int, threads: int) -> ThreadPoolExecutor:
    share_heaps()

    def begin() -> None:
        torch.set_num_threads(threads)
        # Scores of a confident model are often denormal: four times as slow.
        torch.set_flush_denormal(True)

    return ThreadPoolExecutor(streams, thread_name_prefix="stream", initializer=begin)


def _in_stream(
    work: Callable[[Item], object], item: Item, device: torch.device
) -> None:
    with own_stream(device):
        work(item)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Use a GPU's stream of one's own: after what is queued, done when left."""
    if device.type != "cuda":
        yield
        return
    stream = _stream_of_thread(device)
    stream.wait_stream(torch.cuda.default_stream(device))
    try:
        with torch.cuda.stream(stream):
            yield
    finally:  # what failed left work behind as well
        stream.synchronize()


def _stream_of_thread(device: torch.device) -> torch.cuda.Stream:
    """Give a thread the stream that it had before.

    torch keeps what is freed for the stream that it was made in: a new stream for each
    batch would take the memory of a batch thirty-two times, as many as torch has.
    """
    kept: dict[str, torch.cuda.Stream] = vars(_of_thread)
    if str(device) not in kept:
        kept[str(device)] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own
    return kept[str(device)]


def wait_for(device: torch.device) -> None:
    """Return when this thread's stream of a GPU has done what is queued."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
