"""Reference labels (polygons, lines, points, rasters) brought onto a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas
import numpy as np
import pyogrio
import rasterio
from pyogrio.errors import DataSourceError
from pyproj import CRS
from rasterio import features
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from shapely import box

from geoseg.classes import NODATA
from geoseg.errors import LabelsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely import Geometry

    from geoseg.classes import Legend
    from geoseg.georef import Georef


@dataclass(frozen=True, slots=True)
class Labels:
    """Shapes on the ground, each with the name of its class."""

    shapes: tuple[Geometry, ...]
    """Polygons, lines and points, in units of the CRS."""
    names: tuple[str, ...]
    """The class name of each shape."""
    crs: CRS
    """The coordinate reference system of the shapes."""
    width: float = 0.0
    """How wide lines and points are on the ground, in metres; 0 for one pixel."""

    def burn(self, georef: Georef, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give each pixel the value of the class that its centre lies in.

        Lines and points have their width; without one they label the pixels that
        they pass through. Where shapes overlap, the later one wins.

        Args:
            georef: The pixel plane wanted.
            values: The value of each class; shapes of other classes are left out.

        Returns:
            Shape ``(height, width)`` of the plane; 255 where no shape says anything.

        Raises:
            LabelsError: No shape touches the plane.

        """
        wanted = [place for place, name in enumerate(self.names) if name in values]
        shapes = geopandas.GeoSeries([self.shapes[i] for i in wanted], crs=self.crs)
        shapes = _widened(shapes, self.width).to_crs(georef.crs)
        edges = georef.bounds
        frame = box(edges.left, edges.bottom, edges.right, edges.top)
        if not shapes.intersects(frame).any():
            west, south, east, north = shapes.total_bounds
            raise LabelsError(
                f"no label lies in the scene: the scene covers {edges}, the labels "
                f"{west:.10g}, {south:.10g}, {east:.10g}, {north:.10g} "
                f"(left, bottom, right, top in the scene's CRS)"
            )
        burnt: NDArray[np.uint8] = features.rasterize(
            zip(shapes, (values[self.names[i]] for i in wanted), strict=True),
            out_shape=(georef.height, georef.width),
            transform=georef.transform,
            fill=NODATA,
            dtype="uint8",
        )
        return burnt


@dataclass(frozen=True, slots=True)
class LabelRaster:
    """A raster each of whose values is a class, named by the number."""

    path: Path
    """The raster's file."""
    names: tuple[str, ...]
    """The values that occur, as text."""

    def burn(self, georef: Georef, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give each pixel the value of the class at the nearest pixel of the raster.

        Args:
            georef: The pixel plane wanted.
            values: The value of each class; others are left out.

        Returns:
            Shape ``(height, width)`` of the plane; 255 where there is no class.

        Raises:
            LabelsError: No labelled pixel lies on the plane.

        """
        with (
            rasterio.open(self.path) as dataset,
            WarpedVRT(
                dataset,
                crs=georef.crs.to_wkt(),
                transform=georef.transform,
                width=georef.width,
                height=georef.height,
                resampling=Resampling.nearest,
                add_alpha=dataset.nodata is None,
            ) as warped,
        ):
            found = warped.read(1)
            there = warped.dataset_mask() > 0
        burnt = np.full(found.shape, NODATA, np.uint8)
        for name, value in values.items():
            if name in self.names:
                burnt[there & (found == int(name))] = value
        if (burnt == NODATA).all():
            raise LabelsError(
                f"no labelled pixel of {self.path} lies in the scene, which covers "
                f"{georef.bounds} (left, bottom, right, top in the scene's CRS)"
            )
        return burnt


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


def _widened(shapes: geopandas.GeoSeries, width: float) -> geopandas.GeoSeries:
    """Make lines and points as wide as they are on the ground."""
    thin = ~shapes.geom_type.isin(("Polygon", "MultiPolygon"))
    if width == 0 or not thin.any():
        return shapes
    wide = shapes[thin]
    metres = wide.estimate_utm_crs()
    wide = wide.to_crs(metres).buffer(width / 2).to_crs(shapes.crs)
    shapes = shapes.copy()
    shapes[thin] = wide
    return shapes


def rasterise_labels(
    labels: Labels, georef: Georef, legend: Legend
) -> NDArray[np.uint8]:
    """Give each pixel the class id of the shape that its centre lies in.

    Args:
        labels: The shapes, in any CRS.
        georef: The pixel plane wanted.
        legend: Where class names get their ids.

    Returns:
        Class ids, shape ``(height, width)`` of the plane; 255 where no shape
        says anything.

    Raises:
        LabelsError: A class is not in the legend, or no shape touches the
            plane.

    """
    ids = {land_class.name: land_class.id for land_class in legend}
    unknown = sorted(set(labels.names) - ids.keys())
    if unknown:
        raise LabelsError(
            f"the labels have classes {unknown}, the legend has {list(ids)}; "
            f"rename them to agree"
        )
    return labels.burn(georef, ids)
