"""What is read by windows, as a lazy xarray DataArray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from geoseg.errors import SceneError
from geoseg.geo.cf import GRID_MAPPING, coordinates
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox

_FEW_BYTES = 2
"""Whole numbers of so many bytes are exact in float32."""


class Readable(Protocol):
    """An image that is read by windows, such as a `geoseg.Scene`."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def geobox(self) -> GeoBox:
        """Its pixel plane."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Each band's name; an empty string where it has none."""

    @property
    def dtype(self) -> str:
        """The pixels' numpy dtype."""

    @property
    def nodata(self) -> float | None:
        """The value that means "no data"; None where there is none."""

    def read(
        self, window: Window, bands: Sequence[int]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read pixels, shape ``(band, y, x)``, and where they count, ``(y, x)``."""


@dataclass
class WindowedArray(BackendArray):
    """An array that reads what of it is asked for, when it is asked for.

    It holds no open file, so that dask sends it to other processes.
    """

    shape: tuple[int, ...]
    """Of the whole; rows and columns are its last two axes."""
    dtype: np.dtype[Any]
    """Of the pixels."""
    read: Callable[[Window], NDArray[Any]]
    """Reads a window, shape ``(..., y, x)`` with all of the other axes."""

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:  # noqa: ANN401  # xarray's
        """Read the pixels of an index."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._part
        )

    def _part(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read what integers and slices choose, one for each axis."""
        chosen = [
            np.arange(size)[each] for size, each in zip(self.shape, key, strict=True)
        ]
        wanted = [np.atleast_1d(each) for each in chosen]
        whole = tuple(each.shape[0] for each in chosen if each.ndim)
        if not all(each.size for each in wanted):
            return np.empty(whole, self.dtype)
        first = [int(each.min()) for each in wanted[-2:]]
        height, width = (
            int(each.max()) - least + 1
            for each, least in zip(wanted[-2:], first, strict=True)
        )
        pixels = self.read(Window(first[0], first[1], height, width))
        wanted[-2] -= first[0]
        wanted[-1] -= first[1]
        return pixels[np.ix_(*wanted)].reshape(whole)


@dataclass(frozen=True, slots=True)
class _Masked:
    """Reads an image's bands as floating point, NaN where it has no data."""

    image: Readable
    bands: tuple[int, ...]
    dtype: np.dtype[Any]

    def __call__(self, window: Window) -> NDArray[Any]:
        """Read a window, shape ``(band, y, x)``."""
        stored, valid = self.image.read(window, self.bands)
        pixels = stored.astype(self.dtype)
        pixels[:, ~valid] = np.nan
        return pixels


def to_xarray(
    image: Readable,
    bands: Sequence[str] | None = None,
    chunks: int | str | Mapping[str, int | str] | None = None,
    declared: Sequence[tuple[float, float]] | None = None,
) -> xr.DataArray:
    """Give an image as a lazy DataArray, nodata masked: see `geoseg.Scene.to_xarray`.

    Args:
        image: What is read.
        bands: Names of bands; all where None.
        chunks: As `xarray.DataArray.chunk` takes it.
        declared: Each band's scale and offset, which become coordinates.

    Raises:
        SceneError: It has no band of a name, or several.

    """
    indexes = _indexes(image, bands)
    stored = np.dtype(image.dtype)
    dtype = stored if stored.kind == "f" else _exact_float(stored)
    geobox = image.geobox
    lazy = WindowedArray(
        (len(indexes), geobox.height, geobox.width),
        dtype,
        _Masked(image, indexes, dtype),
    )
    names = [image.bands[index] or f"band {index + 1}" for index in indexes]
    array = xr.DataArray(
        indexing.LazilyIndexedArray(lazy),
        dims=("band", "y", "x"),
        coords={**coordinates(geobox), "band": ("band", names)},
        name=image.name,
    )
    for position, name in enumerate(("scale", "offset") if declared else ()):
        values = [declared[index][position] for index in indexes] if declared else []
        array = array.assign_coords({name: ("band", values)})
    array.encoding = {"grid_mapping": GRID_MAPPING, "dtype": image.dtype}
    if image.nodata is not None:
        array.encoding["_FillValue"] = image.nodata
    return array if chunks is None else array.chunk(chunks)


def _exact_float(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Choose the floating point that holds all whole numbers of a dtype."""
    return np.dtype(np.float32 if dtype.itemsize <= _FEW_BYTES else np.float64)


def _indexes(image: Readable, names: Sequence[str] | None) -> tuple[int, ...]:
    """Find bands by name."""
    if names is None:
        return tuple(range(len(image.bands)))
    for name in names:
        if image.bands.count(name) != 1:
            raise SceneError(
                f"{image.name} has {image.bands.count(name)} bands of the name "
                f"{name!r}; its bands are {', '.join(map(repr, image.bands))}"
            )
    return tuple(image.bands.index(name) for name in names)
