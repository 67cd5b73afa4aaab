"""Reading what is wanted next while what was read last is at work."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(
    read: Callable[[Item], Read], items: Iterable[Item], most: int
) -> Iterator[tuple[Item, Read]]:
    """Give items in their order with what `read` gives of each, so many before."""
    with ThreadPoolExecutor(most, thread_name_prefix="ahead") as threads:
        waiting: deque[tuple[Item, Future[Read]]] = deque()
        for item in items:
            waiting.append((item, threads.submit(read, item)))
            if len(waiting) > most:
                first, found = waiting.popleft()
                yield first, found.result()
        for item, found in waiting:
            yield item, found.result()
