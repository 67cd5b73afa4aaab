"""What people give as a class map: a file, or an array, which is kept as one."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

GivenMap: TypeAlias = "Path | str | xr.DataArray"
"""A class map's file, or a DataArray of class ids."""


@contextmanager
def map_file(class_map: GivenMap) -> Iterator[Path | str]:
    """Give the file of a class map; of an array a temporary one.

    Raises:
        InputError: See `geoseg.raster.arrays.ArrayMap.of`.

    """
    if isinstance(class_map, str | Path):
        yield class_map
        return
    from geoseg.raster.arrays import as_file  # noqa: PLC0415  # xarray alone

    with as_file(class_map) as file:
        yield file


def named(class_map: GivenMap) -> str:
    """Name a class map in a report and in messages."""
    return str(class_map) if isinstance(class_map, str | Path) else "an array"
