"""Files beside rasters that say more of their pixels: masks, overviews, metadata."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from geoseg.scene.files.paths import file_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geoseg.scene.files.raster import Raster

MASKS = (".msk", ".MSK")
"""How the names of masks end, after the whole name of a raster."""


def beside(
    rasters: Iterable[Raster], ends: Iterable[str]
) -> list[tuple[str, int, int]]:
    """List files that stand beside rasters of this disk: path, size and time.

    Args:
        rasters: The rasters.
        ends: What may follow the whole name of one.

    """
    found = []
    for raster in rasters:
        file = file_of(raster.path)
        for end in ends if file else ():
            with suppress(OSError):
                state = os.stat(f"{file}{end}")  # noqa: PTH116  # of many files
                found.append((f"{file}{end}", state.st_size, state.st_mtime_ns))
    return found
