"""Sidecars of rasters: files beside them with masks, overviews and metadata."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from geoseg.scene.files.paths import file_of

if TYPE_CHECKING:
    from collections.abc import Iterable

MASKS = (".msk", ".MSK")
"""How the names of masks end, after the whole name of a raster."""
OF_PIXELS = (".ovr", ".OVR", *MASKS)
"""How those of all files end whose pixels GDAL takes for a raster's."""


def sidecars(paths: Iterable[str], ends: Iterable[str]) -> list[tuple[str, int, int]]:
    """List files that stand beside rasters of this disk: path, size and time.

    Args:
        paths: The rasters, in GDAL's words.
        ends: What may follow the whole name of one.

    """
    found = []
    for path in paths:
        file = file_of(path)
        for end in ends if file else ():
            with suppress(OSError):
                state = os.stat(f"{file}{end}")  # noqa: PTH116  # of many files
                found.append((f"{file}{end}", state.st_size, state.st_mtime_ns))
    return found
