"""A folder that geoseg left, where its map is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from geoseg.errors import InputError

Given = TypeVar("Given")

_MAPS = {"change.tif": "strata.tif", "landcover.tif": None}
"""The map of each job, and the strata within which a sample of it is drawn."""


def map_and_strata(
    map_or_folder: Given, strata: Path | str | None
) -> tuple[Given | Path, Path | str | None]:
    """Find the map in a folder that a run or a comparison left, and its strata.

    Args:
        map_or_folder: The folder, or the map itself, an array even, which stays so.
        strata: The strata that were named; they go before those of the folder.

    Raises:
        InputError: It is a folder without a map.

    """
    if not isinstance(map_or_folder, str | Path):
        return map_or_folder, strata
    folder = Path(map_or_folder)
    if not folder.is_dir() or any(folder.glob("*.adf")):  # a raster that is a folder
        return map_or_folder, strata
    for name, beside in _MAPS.items():
        if (folder / name).is_file():
            own = folder / beside if beside and (folder / beside).is_file() else None
            return folder / name, strata or own
    raise InputError(
        f"{folder} is a folder without a map: neither {' nor '.join(_MAPS)} is in it; "
        f"name the raster of classes"
    )
