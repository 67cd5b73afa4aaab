"""A file of any kind, read as a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas
import numpy as np
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from geoseg.classes import NODATA
from geoseg.errors import LabelsError
from geoseg.reference.classes import class_name, match_classes
from geoseg.reference.points import Points, points_of
from geoseg.reference.polygons import Polygons, polygons_of
from geoseg.reference.raster import LabelRaster, open_raster

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from geoseg.georef import Georef

_COLUMNS = ("class", "reference")
"""The columns in which classes are looked for where none is named."""


Reference = Polygons | LabelRaster | Points


def read_reference(
    path: Path,
    georef: Georef,
    classes: Mapping[str, int],
    *,
    column: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Reference:
    """Read what a map is to be compared with.

    Args:
        path: Polygons or points in any vector format, or a class raster.
        georef: The map's plane.
        classes: Names and ids of the map's classes.
        column: The column of the classes' names or ids; ``class`` or ``reference``
            where it is not given.
        mapping: The map's class of a class of the reference, by name or id; an
            empty one leaves that class out. Classes that are not mentioned are
            called the same on both sides.

    Raises:
        LabelsError: The file cannot be used, shows other ground, or has classes
            that the map does not know.

    """
    if not path.exists():
        raise LabelsError(f"{path} does not exist; check the path of the reference")
    table = _read_table(path)
    if table is None:
        return open_raster(path, georef, classes, mapping or {})
    if table.crs is None:
        raise LabelsError(f"{path} has no coordinate reference system; assign one")
    table = table[~(table.geometry.isna() | table.geometry.is_empty)]
    if table.empty:
        raise LabelsError(f"{path} is empty; a reference needs polygons or points")
    chosen = _column(path, table, column)
    names = [class_name(value) for value in table[chosen]]
    ids = match_classes({name for name in names if name}, classes, mapping or {})
    values = np.array([ids.get(name, NODATA) for name in names], np.uint8)
    kinds = set(table.geom_type)
    if kinds & {"Polygon", "MultiPolygon"}:
        return polygons_of(path, table, names, values, georef)
    if kinds <= {"Point"}:
        return points_of(path, table, names, values, georef)
    raise LabelsError(
        f"{path} holds {', '.join(sorted(kinds))}; a reference is polygons, points "
        f"or a raster"
    )


def _read_table(path: Path) -> geopandas.GeoDataFrame | None:
    """Read a vector file; None where it is none."""
    if path.suffix == ".parquet":
        try:
            return geopandas.read_parquet(path)
        except (OSError, ValueError) as error:
            raise LabelsError(
                f"{path} cannot be read as GeoParquet: {error}"
            ) from error
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind]
    except DataSourceError:
        return None
    if len(layers) != 1:
        raise LabelsError(
            f"a reference is one layer, but {path} has {len(layers)}: "
            f"{', '.join(layers) or 'none with geometry'}"
        )
    try:
        return pyogrio.read_dataframe(path, layer=layers[0], on_invalid="fix")
    except (DataLayerError, DataSourceError) as error:
        raise LabelsError(f"{path} is damaged ({error}); save it again") from error


def _column(path: Path, table: geopandas.GeoDataFrame, column: str | None) -> str:
    columns = [str(name) for name in table.columns if name != table.geometry.name]
    wanted = _COLUMNS if column is None else (column,)
    for name in wanted:
        if name in columns:
            return name
    raise LabelsError(
        f"{path} has no column {' or '.join(map(repr, wanted))} with the classes; "
        f"name one of its own: {', '.join(columns) or 'it has none'}"
    )
