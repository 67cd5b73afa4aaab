"""Labels onto the pixels of any plane: rasterize()."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA, Legend, named_legend
from geoseg.overlay.labels.read import open_labels
from geoseg.overlay.labels.shapes import Labels, rasterize_labels
from geoseg.storage.vectors.read import LABELS, class_column

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from xarray import DataArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.overlay.labels.label_raster import LabelRaster


def rasterize(
    labels: Path | str | GeoDataFrame,
    geobox: GeoBox,
    *,
    class_field: str | None = None,
    line_width: float = 0.0,
    legend: Legend | None = None,
) -> DataArray:
    """Give each pixel the class of the shape that its centre lies in.

    The rule is the one of trainings, areas and references: of two polygons that share
    an edge exactly one has a pixel whose centre is on it, in every window. Lines have
    their width; without one they label the pixels that they pass through, as points
    always do. Where shapes overlap, the later one wins.

    Args:
        labels: A vector file of polygons, lines or points in any CRS
            (``file.gpkg|layer=name`` for one layer of several), a class raster on any
            grid, or a GeoDataFrame.
        geobox: The pixel plane wanted, such as ``scene.geobox``.
        class_field: The column with the class names; ``class``, ``reference`` or
            ``class_name`` where it is not given.
        line_width: How wide lines are on the ground, in metres; 0 for one pixel.
        legend: Which id each class has. Where None, classes are numbered from 0 by
            rising name.

    Returns:
        Class ids, uint8 of shape ``(y, x)`` on the plane, 255 where no shape says
        anything; CF's ``flag_values`` and ``flag_meanings`` name the classes, as
        `geoseg.polygons` and `geoseg.evaluate` read them.

    Raises:
        LabelsError: The labels cannot be used, a class is not in the legend, there are
            more than 254, or no shape touches the plane.

    Example:
        >>> import geopandas, shapely
        >>> from affine import Affine
        >>> from pyproj import CRS
        >>> from geoseg import GeoBox, rasterize
        >>> field = geopandas.GeoDataFrame(
        ...     {"class": ["crop"]}, geometry=[shapely.box(10, 0, 30, 10)], crs=32633
        ... )
        >>> plane = GeoBox(1, 3, Affine(10, 0, 0, 0, -10, 10), CRS(32633))
        >>> rasterize(field, plane).values
        array([[255,   0,   0]], dtype=uint8)

    """
    from geoseg.raster.arrays import id_array  # noqa: PLC0415  # xarray alone

    found = _labels(labels, class_field, line_width)
    names = sorted(set(found.names))
    if legend is None:
        if len(names) >= NODATA:
            raise LabelsError(
                f"the labels have {len(names)} classes, and a class map has at most "
                f"{NODATA - 1}; merge some"
            )
        legend = found.legend or named_legend(range(len(names)), names)
    return id_array(rasterize_labels(found, geobox, legend), geobox, legend)


def _labels(
    given: Path | str | GeoDataFrame, class_field: str | None, line_width: float
) -> Labels | LabelRaster:
    if isinstance(given, str | Path):
        return open_labels(given, column=class_field, width=line_width)
    columns = [str(each) for each in given.columns]
    column = class_column("the frame", LABELS, class_field, columns)
    if given.crs is None:
        raise LabelsError("the frame has no CRS; set it with GeoDataFrame.set_crs")
    frame = given[given[column].notna() & ~(given.is_empty | given.geometry.isna())]
    if frame.empty:
        raise LabelsError(f"the frame holds no shape that has a {column!r}; fill it in")
    return Labels(
        tuple(np.asarray(frame.geometry)),
        tuple(str(each).strip() for each in frame[column]),
        frame.crs,
        line_width,
    )
