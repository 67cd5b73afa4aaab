"""Reference labels (polygons, lines, points, rasters) brought onto a scene."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import geopandas
import numpy as np
import pyogrio
import rasterio
from pyogrio.errors import DataSourceError
from pyproj import CRS
from rasterio.errors import RasterioError

from geoseg.classes import NODATA
from geoseg.errors import LabelsError
from geoseg.labels.raster import LabelRaster
from geoseg.labels.shapes import Labels

if TYPE_CHECKING:
    from pathlib import Path


def open_labels(
    path: Path, *, column: str = "class", width: float = 0.0
) -> Labels | LabelRaster:
    """Read labels of any kind: a vector file, or a raster of classes.

    Args:
        path: Any file that GDAL knows, with a CRS.
        column: The attribute of a vector file that holds the class names.
        width: How wide lines and points are, in metres; 0 for one pixel.

    Raises:
        LabelsError: The file is missing, unreadable, has no CRS, no such column
            or nothing that is labelled.

    """
    if not (math.isfinite(width) and width >= 0):
        raise LabelsError(f"lines cannot be {width} m wide; give 0 or more")
    if not path.exists():
        raise LabelsError(f"{path} does not exist; check the path of the labels")
    try:
        layers = pyogrio.list_layers(path)
    except DataSourceError:
        return _open_raster(path)
    if not len(layers):
        return _open_raster(path)
    return read_labels(path, column=column, width=width)


def read_labels(path: Path, *, column: str = "class", width: float = 0.0) -> Labels:
    """Read labelled shapes from a vector file.

    Features without a geometry or without a class are left out.

    Args:
        path: Any vector file that GDAL knows, with a CRS.
        column: The attribute that holds the class names.
        width: How wide lines and points are, in metres; 0 for one pixel.

    Raises:
        LabelsError: The file is missing, unreadable, has no CRS, no such column
            or no labelled shape.

    """
    table = _read(path)
    if column not in table:
        there = ", ".join(str(name) for name in table.columns if name != "geometry")
        raise LabelsError(
            f"{path} needs a column {column!r} with class names, got {there or 'none'}"
        )
    kept = table[
        table.geometry.notna() & ~table.geometry.is_empty & table[column].notna()
    ]
    if kept.empty:
        raise LabelsError(f"{path} holds no shape that has a {column!r}")
    return Labels(
        shapes=tuple(kept.geometry),
        names=tuple(_name(value) for value in kept[column]),
        crs=CRS.from_user_input(table.crs),
        width=width,
    )


def _name(value: object) -> str:
    """Write a class; a number that a file kept as 3.0 is 3."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read(path: Path) -> geopandas.GeoDataFrame:
    if not path.exists():
        raise LabelsError(f"{path} does not exist; check the path of the labels")
    try:
        table = geopandas.read_file(path)
    except DataSourceError as error:
        raise LabelsError(
            f"{path} cannot be read as a vector file ({str(error).rstrip('.')})"
        ) from error
    if not isinstance(table, geopandas.GeoDataFrame):
        raise LabelsError(f"{path} has no geometry; labels are shapes")
    if table.crs is None:
        raise LabelsError(f"{path} has no coordinate reference system; assign one")
    return table


def _open_raster(path: Path) -> LabelRaster:
    try:
        with rasterio.open(path) as dataset:
            placed, kind = dataset.crs is not None, dataset.dtypes[0]
            found = np.unique(dataset.read(1, masked=True).compressed())
    except RasterioError as error:
        raise LabelsError(
            f"{path} can be read neither as a vector file nor as a raster"
        ) from error
    if not placed:
        raise LabelsError(f"{path} has no coordinate reference system; assign one")
    whole = np.isfinite(found) & (found == np.round(found))
    if not found.size or found.size > NODATA or not whole.all():
        raise LabelsError(
            f"{path} is no raster of classes: it holds {found.size} values of "
            f"{kind}; at most {NODATA} whole numbers are needed"
        )
    return LabelRaster(path, tuple(str(int(value)) for value in found))
