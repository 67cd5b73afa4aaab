"""Where blocks are read and counted: here, or on a dask cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from geoseg.run.cluster import map_on, open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.evaluate.blocks import BlockMap


@contextmanager
def spread(workers: int, scheduler: str | None) -> Iterator[BlockMap]:
    """Give what applies a function to all blocks.

    Args:
        workers: Worker processes to start on this machine; 0 for none.
        scheduler: The address of a running scheduler, instead.

    Yields:
        `map` where there is neither.

    Raises:
        ClusterError: The scheduler does not answer, or has no worker.

    """
    if not workers and scheduler is None:
        yield map
        return
    with open_client(workers, scheduler) as client:
        yield map_on(client)
