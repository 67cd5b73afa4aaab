"""A file of any kind, read as a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA
from geoseg.overlay.reference.marks import Marks
from geoseg.overlay.reference.matching import match_classes
from geoseg.overlay.reference.points import NAMES, Points, points_of
from geoseg.overlay.reference.polygons import AREAL, ReferencePolygons, polygons_of
from geoseg.overlay.reference.reference_raster import ReferenceRaster, open_raster
from geoseg.raster.read import must_be_raster
from geoseg.storage.vectors.read import (
    REFERENCE,
    VectorLayer,
    class_column,
    is_vector,
    read_layer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox


Reference = ReferencePolygons | ReferenceRaster | Points


def read_reference(
    path: Path | str,
    geobox: GeoBox,
    classes: Mapping[str, int],
    *,
    column: str | None = None,
    mapping: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
) -> Reference:
    """Read what a map is to be compared with.

    Args:
        path: Polygons or points in any vector format (``file.gpkg|layer=name`` for one
            layer of several), or a class raster. Collections and multipoints are taken
            apart.
        geobox: The map's plane.
        classes: Names and ids of the map's classes.
        column: The column of the classes' names or ids; ``class``, ``reference`` or
            ``class_name`` where it is not given.
        mapping: The map's class of a class of the reference, by name or id; an
            empty one leaves that class out. Classes that are not mentioned are
            called the same on both sides.
        numbers: The ids of the map's classes by the numbers that people know them by,
            as text; the ids themselves where None.

    Raises:
        LabelsError: The file cannot be used, shows other ground, or has classes
            that the map does not know.

    """
    if must_be_raster(path) or not is_vector(path, REFERENCE):
        return open_raster(path, geobox, classes, mapping or {}, numbers)
    layer, chosen = _read_layer(path, column)
    names = [text or "" for text in layer.texts(chosen)]
    ids = match_classes(set(filter(None, names)), classes, mapping or {}, numbers)
    values = np.array([ids.get(name, NODATA) for name in names], np.uint8)
    marks = Marks(path, layer, names, values)
    kinds = set(shapely.get_type_id(layer.shapes).tolist())
    if kinds & AREAL:
        return polygons_of(marks, geobox)
    if kinds <= {shapely.GeometryType.POINT}:
        return points_of(marks, geobox)
    there = ", ".join(sorted({shape.geom_type for shape in layer.shapes}))
    raise LabelsError(
        f"{path} holds {there}; a reference is polygons, points or a raster"
    )


def _read_layer(path: Path | str, column: str | None) -> tuple[VectorLayer, str]:
    """Read shapes with their classes, and the names of points; return the column."""
    chosen = ""

    def choose(columns: Sequence[str]) -> Sequence[str]:
        nonlocal chosen
        chosen = class_column(path, REFERENCE, column, columns)
        return list({chosen: None} | dict.fromkeys({NAMES} & set(columns)))

    layer = read_layer(path, REFERENCE, choose).apart()
    if not len(layer.shapes):
        raise LabelsError(f"{path} is empty; a reference needs polygons or points")
    return layer, chosen
