"""The table of polygons: a row for each, with what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from geoseg.vectorize.measure import measure
from geoseg.vectorize.recolour import group_by_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.vectorize.drawing import Drawing
    from geoseg.vectorize.network import Network


def tabulate(
    network: Network,
    parts: NDArray[np.object_],
    geobox: GeoBox,
    legend: Legend,
    drawing: Drawing,
) -> gpd.GeoDataFrame:
    """Put polygons and what is known of them in a table.

    Args:
        network: The regions.
        parts: A polygon for each region.
        geobox: The map's plane.
        legend: The names of the classes.
        drawing: Which regions make a row, and which rows are asked for.

    Returns:
        A row for each region, or for those that belong together; always with
        ``mean_confidence``, which is NaN where no pixel has one.

    """
    regions = network.regions
    rows = _assign_rows(network, drawing)
    count = int(rows.max(initial=-1)) + 1
    geometry = _gather(parts, rows, count, always_multi=drawing.dissolve)
    pixels, confidence, sure = np.zeros((3, count), np.int64)
    for total, part in (
        (pixels, regions.pixels),
        (confidence, regions.confidence),
        (sure, regions.sure),
    ):
        np.add.at(total, rows, part)
    classes = np.zeros(count, np.uint8)
    classes[rows] = regions.classes
    area, perimeter = measure(geometry, geobox.crs)
    columns: dict[str, NDArray[Any]] = {  # each column has its own type
        "class_id": classes.astype(np.int32),
        "class_name": _names(legend)[classes],
        "area_m2": area,
        "perimeter_m": perimeter,
        "pixel_count": pixels,
        "mean_confidence": np.divide(
            confidence, sure, out=np.full(count, np.nan), where=sure > 0
        ),
    }
    frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=geobox.crs)
    frame = frame.astype({"class_name": "str"})  # without rows too
    if drawing.classes is not None:
        asked = frame["class_id"].isin(drawing.classes)
        frame = frame[asked].reset_index(drop=True)
    return frame


def _assign_rows(network: Network, drawing: Drawing) -> NDArray[np.int64]:
    """Assign each region to a row: its own, or one that it shares."""
    classes = network.regions.classes
    if drawing.dissolve:
        return np.unique(classes, return_inverse=True)[1]
    if drawing.connectivity == 8:  # noqa: PLR2004 - a pixel's neighbours
        return group_by_corners(network)[1:].astype(np.int64) - 1
    return np.arange(len(classes))


def _gather(
    parts: NDArray[np.object_],
    rows: NDArray[np.int64],
    count: int,
    *,
    always_multi: bool,
) -> NDArray[np.object_]:
    """Make a polygon, or a multipolygon of several, for each row."""
    if count == len(parts) and not always_multi:
        return parts
    order = np.argsort(rows, kind="stable")
    gathered: NDArray[np.object_] = shapely.multipolygons(
        parts[order], indices=rows[order]
    )
    if not always_multi:
        single = np.bincount(rows, minlength=count)[rows] == 1
        gathered[rows[single]] = parts[single]
    return gathered


def _names(legend: Legend) -> NDArray[np.object_]:
    """Give each class id its name."""
    names = np.full(256, "", object)
    for land_class in legend:
        names[land_class.id] = land_class.name
    return names
