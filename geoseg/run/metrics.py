"""What a worker counts for Prometheus: blocks, tiles, bytes and seconds.

dask's workers answer at ``/metrics`` where they have a web server and the package
`prometheus_client` is there; what is counted here stands beside dask's own figures.
Nothing is opened for it, and in the process that was called nothing is counted.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter

    from geoseg.run.job import Done

_counted = False
"""Whether anybody can ask this process."""


def count_here() -> None:
    """Count from now on what this process does, as that of a worker."""
    global _counted  # noqa: PLW0603  # a process is a worker for life
    _counted = True


def count_done(done: Done, *, is_block: bool) -> None:
    """Count a finished block, or a merged seam."""
    counters = _counters() if _counted else None
    if counters is None:
        return
    counters["blocks" if is_block else "seams"].inc()
    for result, tiles in done.counts.items():
        counters["tiles"].labels(result).inc(tiles)
    for lap in () if done.laps is None else done.laps.pieces:
        counters["seconds"].labels(lap.stage).inc(lap.seconds)
        counters["bytes"].labels(lap.stage).inc(lap.size)


@cache
def _counters() -> dict[str, Counter] | None:
    """Make the counters once in a process; None without the package."""
    try:
        from prometheus_client import Counter  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    stages = "read, wait (for the device), compute, write"
    return {
        "blocks": Counter("geoseg_blocks", "Blocks that were finished."),
        "seams": Counter("geoseg_seams", "Seams between blocks that were merged."),
        "tiles": Counter("geoseg_tiles", "Tiles, inferred or empty.", ["result"]),
        "seconds": Counter("geoseg_seconds", f"Seconds of: {stages}.", ["stage"]),
        "bytes": Counter("geoseg_bytes", "Bytes that were read, written.", ["stage"]),
    }
