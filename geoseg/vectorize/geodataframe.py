"""A class map, of a file or an array, to polygons in memory: polygons()."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.options import PolygonOptions
from geoseg.raster import ClassMap
from geoseg.raster.arrays import ArrayMap
from geoseg.vectorize.blocks import in_threads
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import polygons as draw

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from geoseg.raster.given import GivenMap


def polygons(
    class_map: GivenMap,
    *,
    confidence: Path | str | None = None,
    options: PolygonOptions | None = None,
) -> GeoDataFrame:
    """Draw the regions of a class map as polygons, and write nothing.

    Args:
        class_map: A raster, as `vectorize` takes it; or a DataArray of class ids with
            a CRS, such as a report's ``open()`` or another tool gives: whole numbers,
            255 where there is no class, names in CF's ``flag_values`` and
            ``flag_meanings`` where they are there.
        confidence: A raster on the same pixels, in percent; each polygon gets its mean
            where it is given.
        options: What is merged, straightened and left out.

    Returns:
        A row a region, in the map's CRS, with ``class_id``, ``class_name``,
        ``area_m2`` and ``perimeter_m`` on the ground, ``pixel_count`` and
        ``geometry``. They are a valid coverage.

    Raises:
        InputError: Something given cannot be used.

    Example:
        >>> frame = polygons("out/landcover.tif")  # doctest: +SKIP

    """
    source: ClassMap | ArrayMap
    if isinstance(class_map, str | Path):
        source = ClassMap.open(class_map)
    else:
        source = ArrayMap.of(class_map)
    legend = source.legend()
    return draw(
        source,
        legend=legend,
        confidence=None if confidence is None else ClassMap.measures(confidence),
        drawing=Drawing.of(options or PolygonOptions(), legend),
        map_blocks=in_threads,
    )
