"""A pixel plane in the words of the CF conventions, as xarray and rioxarray read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from affine import Affine
from pyproj import CRS

from geoseg.errors import GridError
from geoseg.geo.geobox import GeoBox

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID_MAPPING = "spatial_ref"
"""The coordinate that holds the CRS, named as rioxarray names it."""

_FEWEST = 2
"""Pixels that say how far apart they are."""
_EVEN = 1e-3
"""By which part of a pixel steps between pixels may differ."""
_ROWS, _COLUMNS = ("y", "lat", "latitude"), ("x", "lon", "longitude")
"""What axes are called along which rows, and columns, are counted."""


class Labelled(Protocol):
    """An array with named axes and coordinates, such as an `xarray.DataArray`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""

    @property
    def dims(self) -> tuple[Any, ...]:
        """The names of its axes."""

    @property
    def coords(self) -> Mapping[Any, Any]:
        """Its coordinates, by their names."""

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """What is known of it."""

    @property
    def encoding(self) -> Mapping[Any, Any]:
        """How it is stored."""


Variable = tuple[tuple[str, ...], Any, dict[str, Any]]
"""Dimensions, values and attributes: what xarray makes a variable of."""


def geobox_of(array: Labelled) -> GeoBox:
    """Find the pixel plane of an array: what `coordinates` says, or other tools.

    Args:
        array: Such as an `xarray.DataArray`, with dimensions ``y`` and ``x`` (or
            ``latitude`` and ``longitude``) last, and a CRS where rioxarray, odc-geo or
            CF have it: a coordinate with ``crs_wkt`` or ``spatial_ref``.

    Raises:
        GridError: It has no such dimensions, or in another order, no CRS, or pixels of
            several sizes.

    """
    _check_axes(array.dims)
    height, width = array.shape[-2:]
    mapping = _grid_mapping(array)
    wkt = next(
        (mapping[key] for key in ("crs_wkt", GRID_MAPPING) if key in mapping), None
    )
    if wkt is None:
        raise GridError(
            "the array has no CRS; give it one, as with array.rio.write_crs(32633)"
        )
    transform = _transform(array, mapping)
    return GeoBox(height, width, transform, CRS.from_wkt(str(wkt)))


def _transform(array: Labelled, mapping: Mapping[str, Any]) -> Affine:
    """Find the transform: a slice's coordinates move, and its GeoTransform does not."""
    if "GeoTransform" not in mapping:
        return _regular(array)
    whole = Affine.from_gdal(*map(float, str(mapping["GeoTransform"]).split()))
    if not all(dim in array.coords for dim in array.dims[-2:]):
        return whole  # rotated, where no coordinate says which part it is
    y, x = (float(np.asarray(array.coords[dim])[0]) for dim in array.dims[-2:])
    col, row = ~whole @ (x, y)
    first = Affine.translation(round(col - 0.5), round(row - 0.5))
    if max(abs(first.c - col + 0.5), abs(first.f - row + 0.5)) > _EVEN:
        return _regular(array)
    part = whole @ first  # exact, where coordinates are sums of many steps
    steps = [np.asarray(array.coords[dim])[:_FEWEST] for dim in array.dims[-2:]]
    same = all(
        len(each) < _FEWEST or abs((each[1] - each[0]) / size - 1) < _EVEN
        for each, size in zip(steps, (whole.e, whole.a), strict=True)
    )
    return part if same else _regular(array)


def _check_axes(dims: tuple[Any, ...]) -> None:
    """Refuse axes of rows and columns, by their usual names, that do not come last."""
    found = tuple(each for each in dims if each in _ROWS + _COLUMNS)
    last = sorted(found, key=_COLUMNS.__contains__)
    if len(found) == _FEWEST and tuple(last) != dims[-2:]:
        wanted = ", ".join(map(repr, last))
        raise GridError(
            f"the array's axes are {', '.join(map(str, dims))}, and rows and columns "
            f"come last; give array.transpose(..., {wanted})"
        )


def _grid_mapping(array: Labelled) -> Mapping[str, Any]:
    """Find the attributes of the coordinate that holds the CRS."""
    described = {**array.attrs, **array.encoding}
    name = described.get("grid_mapping", GRID_MAPPING)
    return array.coords[name].attrs if name in array.coords else {}


def _regular(array: Labelled) -> Affine:
    """Read the transform from the coordinates of the pixels' centres."""
    steps, starts = [], []
    for dim in array.dims[-2:]:
        known = array.coords.get(dim, [])
        centres = np.asarray(known, np.float64)
        if len(centres) < _FEWEST:
            raise GridError(
                f"the array does not say where its pixels are: its dimension {dim!r} "
                f"needs a coordinate with their centres, two at least"
            )
        step = (centres[-1] - centres[0]) / (len(centres) - 1)
        apart = np.abs(np.diff(centres) / step - 1) if step else np.ones(1)
        if apart.max() > _EVEN:
            raise GridError(
                f"the array's coordinate {dim!r} is not evenly spaced; bring it onto a "
                f"grid first"
            )
        steps.append(step)
        starts.append(centres[0] - step / 2)
    (dy, dx), (y, x) = steps, starts
    return Affine(dx, 0, x, 0, dy, y)


def coordinates(geobox: GeoBox) -> dict[str, Variable]:
    """Give the coordinates of a plane's pixels, and its CRS.

    ``y`` and ``x`` are the pixels' centres in CRS units, in float64. A plane that is
    rotated has neither, since no pixel shares one with a whole row or column: there
    the transform alone, in the CRS's ``GeoTransform``, says where pixels are.
    """
    t = geobox.transform
    numbers = " ".join(repr(float(v)) for v in t.to_gdal())
    crs = {
        **geobox.crs.to_cf(),
        GRID_MAPPING: geobox.crs.to_wkt(),
        "GeoTransform": numbers,
    }
    found: dict[str, Variable] = {GRID_MAPPING: ((), 0, crs)}
    if t.b or t.d:
        return found
    axes = {each["axis"]: each for each in geobox.crs.cs_to_cf() if "axis" in each}
    rows, cols = np.arange(geobox.height) + 0.5, np.arange(geobox.width) + 0.5
    found["y"] = (("y",), t.f + rows * t.e, axes.get("Y", {}))
    found["x"] = (("x",), t.c + cols * t.a, axes.get("X", {}))
    return found
