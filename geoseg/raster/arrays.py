"""Class maps as arrays of xarray's, and such arrays as class maps."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import xarray as xr
from xarray.core import indexing

from geoseg.errors import InputError
from geoseg.geo.cf import GRID_MAPPING, coordinates, geobox_of
from geoseg.geo.legend import NODATA, LandClass, Legend, plain_legend
from geoseg.raster.class_names import LEGEND_TAG, legend_to_json
from geoseg.raster.read import look_at
from geoseg.scene.arrays import WindowedArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window
    from geoseg.raster.read import ClassMap
    from geoseg.scene.files.raster import Raster

_NAMES, _COLOURS = "flag_names", "flag_colors"
"""Attributes beside CF's own: names as they are, which CF's may not be, and colours."""
_UNFIT = re.compile(r"[^\w.+@-]+")
"""What a CF flag's meaning may not have in it: blanks, above all."""


def class_array(
    source: ClassMap, chunks: int | str | Mapping[str, int | str] | None = None
) -> xr.DataArray:
    """Give a class map as a lazy DataArray of class ids, shape ``(y, x)``.

    Values are as they are in the map, 255 where there is no class. The classes are CF's
    ``flag_values`` and ``flag_meanings`` (names with ``_`` for blanks); ``flag_names``
    and ``flag_colors`` have them as they are.

    Args:
        source: The map.
        chunks: As `xarray.DataArray.chunk` takes it; no dask array where None.

    """
    geobox, legend = source.geobox, source.legend()
    lazy = WindowedArray((geobox.height, geobox.width), np.dtype(np.uint8), source.read)
    array = id_array(indexing.LazilyIndexedArray(lazy), geobox, legend)
    return array if chunks is None else array.chunk(chunks)


def id_array(
    ids: NDArray[np.uint8] | indexing.LazilyIndexedArray,
    geobox: GeoBox,
    legend: Legend,
) -> xr.DataArray:
    """Make a DataArray of class ids, shape ``(y, x)``, as `class_array` does."""
    array = xr.DataArray(
        ids,
        dims=("y", "x"),
        coords=coordinates(geobox),
        name="class",
        attrs=flags(legend),
    )
    array.encoding = {"grid_mapping": GRID_MAPPING, "_FillValue": NODATA}
    return array


@dataclass(frozen=True, slots=True)
class _Measures:
    """Reads a raster's bands in their unit, NaN where there is none."""

    raster: Raster

    def __call__(self, window: Window) -> NDArray[np.float32]:
        """Read a window, shape ``(band, y, x)``."""
        stored, valid = self.raster.read(window, range(len(self.raster.bands)))
        scales = np.array([each.scale for each in self.raster.bands], np.float32)
        values = stored.astype(np.float32) * scales[:, np.newaxis, np.newaxis]
        return np.where(valid, values, np.float32(np.nan))


def measures_array(
    path: Path | str, chunks: int | str | Mapping[str, int | str] | None = None
) -> xr.DataArray:
    """Give a raster of measures, such as confidences, as a lazy DataArray.

    Args:
        path: The raster.
        chunks: As `xarray.DataArray.chunk` takes it; no dask array where None.

    Returns:
        float32 of shape ``(band, y, x)``, scaled as the file declares (confidences are
        percent, probabilities 0 to 1), NaN where there is nothing; band names are a
        coordinate.

    Raises:
        SceneError: The file is missing, or no raster.

    """
    raster = look_at(str(path))
    geobox = raster.geobox
    shape = (len(raster.bands), geobox.height, geobox.width)
    lazy = WindowedArray(shape, np.dtype(np.float32), _Measures(raster))
    array = xr.DataArray(
        indexing.LazilyIndexedArray(lazy),
        dims=("band", "y", "x"),
        coords={
            **coordinates(geobox),
            "band": ("band", [each.name for each in raster.bands]),
        },
        name=raster.bands[0].name if len(raster.bands) == 1 else None,
    )
    array.encoding = {"grid_mapping": GRID_MAPPING}
    return array if chunks is None else array.chunk(chunks)


def flags(legend: Legend) -> dict[str, Any]:
    """Say what ids mean, as the CF conventions do (section 3.5)."""
    return {
        "flag_values": np.array(legend.ids, np.uint8),
        "flag_meanings": " ".join(_UNFIT.sub("_", each.name) for each in legend),
        _NAMES: [each.name for each in legend],
        _COLOURS: [each.colour for each in legend],
    }


@dataclass(frozen=True, slots=True)
class ArrayMap:
    """A class map that is an array; it is read as a `ClassMap` is."""

    values: NDArray[np.uint8]
    """Class ids, shape ``(y, x)``, 255 where there is none."""
    geobox: GeoBox
    """Its pixel plane."""
    known: Legend
    """The classes."""

    @classmethod
    def of(cls, array: xr.DataArray) -> ArrayMap:
        """Take a DataArray of class ids, such as `class_array` gives.

        Raises:
            InputError: It has more axes than two, or is no whole numbers of 0 to 255.
            GridError: It does not say where its pixels are.

        """
        flat = array.squeeze(drop=True) if array.ndim > 2 else array  # noqa: PLR2004
        values = np.asarray(flat)
        if values.ndim != 2:  # noqa: PLR2004  rows and columns
            raise InputError(
                f"a class map has rows and columns, and the array has the axes "
                f"{', '.join(map(str, array.dims))}; choose one band"
            )
        if values.dtype.kind == "f":
            values = np.where(np.isfinite(values), values, NODATA)
        if (
            values.size
            and not (
                (values >= 0) & (values <= NODATA) & (values == values.round())
            ).all()
        ):
            raise InputError(
                f"a class map holds whole numbers of 0 to {NODATA - 1}, and {NODATA} "
                f"where there is no class; the array has {values.min()} to "
                f"{values.max()}"
            )
        ids = values.astype(np.uint8)
        return cls(ids, geobox_of(flat), _legend(flat.attrs, ids))

    def legend(self) -> Legend:
        """Name the classes."""
        return self.known

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Give the ids of a window, shape ``(y, x)``."""
        return self.values[window.slices()]


def _legend(attrs: Mapping[Any, Any], ids: NDArray[np.uint8]) -> Legend:
    """Read the classes from CF's flags; else name the values that occur."""
    if "flag_values" not in attrs:
        return plain_legend(np.unique(ids).tolist())
    values = np.atleast_1d(attrs["flag_values"]).tolist()
    names = attrs.get(_NAMES) or str(attrs.get("flag_meanings", "")).split()
    plain = plain_legend(values)
    colours = attrs.get(_COLOURS) or [each.colour for each in plain]
    if not len(values) == len(names) == len(colours):
        raise InputError(
            f"the array's flags are {len(values)} values and {len(names)} meanings; "
            f"give as many of each"
        )
    entries = sorted(zip(values, names, colours, strict=True))
    return Legend(tuple(LandClass(int(i), str(n), str(c)) for i, n, c in entries))


@contextmanager
def as_file(class_map: xr.DataArray) -> Iterator[Path]:
    """Keep an array of class ids as a GeoTIFF, for what reads class maps from files.

    Args:
        class_map: What `ArrayMap.of` takes.

    Yields:
        The file, which is gone afterwards.

    Raises:
        InputError: See `ArrayMap.of`.

    """
    source = ArrayMap.of(class_map)
    with tempfile.TemporaryDirectory(prefix="geoseg-map-") as folder:
        path = Path(folder, "map.tif")
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=source.geobox.height,
            width=source.geobox.width,
            count=1,
            dtype="uint8",
            nodata=NODATA,
            crs=source.geobox.crs.to_wkt(),
            transform=source.geobox.transform,
            tiled=True,
        ) as dataset:
            dataset.write(source.values, 1)
            dataset.update_tags(**{LEGEND_TAG: legend_to_json(source.known)})
        yield path
