"""Reference labels (polygons with a class) brought onto a scene's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas
from pyogrio.errors import DataSourceError
from pyproj import CRS
from rasterio import features
from shapely import box

from geoseg.classes import NODATA
from geoseg.errors import LabelsError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from shapely import Geometry

    from geoseg.classes import Legend
    from geoseg.georef import Georef


@dataclass(frozen=True, slots=True)
class Labels:
    """Polygons on the ground, each with the name of its class."""

    shapes: tuple[Geometry, ...]
    """Polygons and multipolygons, in units of the CRS."""
    names: tuple[str, ...]
    """The class name of each shape."""
    crs: CRS
    """The coordinate reference system of the shapes."""


def read_labels(path: Path, *, column: str = "class") -> Labels:
    """Read labelled polygons from a vector file.

    Features without a geometry or without a class are left out, as are points
    and lines.

    Args:
        path: Any vector file that GDAL knows, with a CRS.
        column: The attribute that holds the class names.

    Raises:
        LabelsError: The file is missing, unreadable, has no CRS, no such column
            or no labelled polygon.

    """
    table = _read(path)
    if column not in table:
        there = ", ".join(str(name) for name in table.columns if name != "geometry")
        raise LabelsError(
            f"{path} needs a column {column!r} with class names, got {there or 'none'}"
        )
    polygons = table[
        table.geom_type.isin(("Polygon", "MultiPolygon"))
        & ~table.is_empty
        & table[column].notna()
    ]
    if polygons.empty:
        raise LabelsError(f"{path} holds no polygon that has a {column!r}")
    return Labels(
        shapes=tuple(polygons.geometry),
        names=tuple(str(name) for name in polygons[column]),
        crs=CRS.from_user_input(table.crs),
    )


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
        raise LabelsError(f"{path} has no geometry; labels are polygons")
    if table.crs is None:
        raise LabelsError(f"{path} has no coordinate reference system; assign one")
    return table


def rasterise_labels(
    labels: Labels, georef: Georef, legend: Legend
) -> NDArray[np.uint8]:
    """Give each pixel the class of the polygon that its centre lies in.

    Where polygons overlap, the later one wins; make them disjoint beforehand
    if that matters.

    Args:
        labels: The polygons, in any CRS.
        georef: The pixel plane wanted.
        legend: Where class names get their ids.

    Returns:
        Class ids, shape ``(height, width)`` of the plane; 255 where no polygon
        says anything.

    Raises:
        LabelsError: A class is not in the legend, or no polygon touches the
            plane.

    """
    ids = {land_class.name: land_class.id for land_class in legend}
    unknown = sorted(set(labels.names) - ids.keys())
    if unknown:
        raise LabelsError(
            f"the labels have classes {unknown}, the legend has {list(ids)}; "
            f"rename them to agree"
        )
    shapes = geopandas.GeoSeries(list(labels.shapes), crs=labels.crs)
    shapes = shapes.to_crs(georef.crs)
    bounds = georef.bounds
    frame = box(bounds.left, bounds.bottom, bounds.right, bounds.top)
    if not shapes.intersects(frame).any():
        west, south, east, north = shapes.total_bounds
        raise LabelsError(
            f"no label lies in the scene: the scene covers {bounds}, the labels "
            f"{west:.10g}, {south:.10g}, {east:.10g}, {north:.10g} "
            f"(left, bottom, right, top in the scene's CRS)"
        )
    burn: NDArray[np.uint8] = features.rasterize(
        zip(shapes, (ids[name] for name in labels.names), strict=True),
        out_shape=(georef.height, georef.width),
        transform=georef.transform,
        fill=NODATA,
        dtype="uint8",
    )
    return burn
