"""What polygons will take in memory or on disk, forecast while the map is traced.

Both follow the corners of a map, not its pixels: noise, where each pixel is of another
class than its neighbours, takes a kilobyte for each. So the first blocks say what all
will take, and what does not fit is refused before it ends in a kill or a full disk.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from geoseg.errors import VectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from geoseg.vectorize.blocks import Traced

_FOR_VERTEX = 70
"""Bytes of memory that polygons take for a vertex, where all are in memory."""
_FOR_TRACED = 60
"""Bytes of them until small patches are merged, where they are."""
ON_DISK = 40
"""Bytes that polygons take for a vertex on the disk where they wait to be written: 17
were measured for lines, and 7 to 17 for rows."""


def watched(
    blocks: Iterable[Traced],
    whole: int,
    *,
    merges: bool,
    folder: Path | None,
    warn: Callable[[str], None],
) -> Iterator[Traced]:
    """Pass traced blocks on, as long as their polygons fit into memory.

    Args:
        blocks: The blocks of a map, as they come.
        whole: The pixels that all of them own.
        merges: Whether small patches are merged before polygons are drawn.
        folder: Where lines and rows are while they are many; None for in memory.
        warn: Called once, as soon as the whole map looks as if it would not fit.

    Raises:
        VectorError: What there is already does not fit.

    """
    if folder is None:
        free, each, of = free_memory(), _FOR_TRACED if merges else _FOR_VERTEX, "memory"
    else:
        free, each, of = shutil.disk_usage(folder).free, ON_DISK, f"disk at {folder}"
    vertices, pixels, warned = 0, 0, False
    for block in blocks:
        vertices += vertices_of(block)
        pixels += block.pixels
        held = vertices * each
        needed = held * whole / pixels
        forecast = (
            f"{pixels / 1e6:,.1f} of {whole / 1e6:,.1f} Mpx have "
            f"{vertices / pixels:,.1f} corners a pixel; polygons of a map like that "
            f"take {needed / 1e9:,.1f} GB of {of}, and {free / 1e9:,.1f} GB are free"
        )
        if held > free:
            raise VectorError(f"{forecast}; {_advice(merges=merges)}")
        if needed > free and not warned:
            warned = True
            warn(
                f"{forecast}: the job stops if it goes on so; {_advice(merges=merges)}"
            )
        yield block


def _advice(*, merges: bool) -> str:
    larger = "by a larger `min_area`" if merges else "by `min_area`, such as 10px"
    return f"merge small patches {larger}, draw fewer classes, or cut the map"


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, a container, a limit."""
    found = [int(psutil.virtual_memory().available)]
    process = psutil.Process()
    if hasattr(psutil, "RLIMIT_AS"):
        limit = process.rlimit(psutil.RLIMIT_AS)[0]
        if limit >= 0:
            found.append(limit - process.memory_info().vms)
    try:
        most, held = (
            Path("/sys/fs/cgroup", name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
    except (OSError, UnicodeError):
        most, held = "max", "0"
    if most.isdecimal() and held.isdecimal():
        found.append(int(most) - int(held))
    return max(0, min(found))


def vertices_of(block: Traced) -> int:
    """Count the vertices of polygons: each line's are those of two, its ends of one."""
    return 2 * len(block.arcs.vertices) - len(block.arcs.faces)
