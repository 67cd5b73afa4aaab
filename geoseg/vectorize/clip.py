"""Polygons cut to an area's exact outline, not to the pixels in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.storage.vectors.polygons import only_polygons
from geoseg.storage.vectors.rows import Batch, Rows, widen
from geoseg.vectorize.measure import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import geopandas as gpd


_CUT = "cut"
"""The column that says, until all are measured, which polygons were cut."""


def clip(
    batches: Iterable[Batch], area: shapely.Geometry, path: Path
) -> Iterator[Batch]:
    """Cut polygons to an area.

    Args:
        batches: What `geoseg.vectorize.polygons.draw_polygons` gives.
        area: A valid polygon or multipolygon in the polygons' CRS.
        path: A file in which they wait until all are cut: they are measured together.

    Yields:
        The rows of which something is left, in their order, the index counted
        anew. ``area_m2`` and ``perimeter_m`` are of what is left;
        ``pixel_count`` and ``mean_confidence`` are of the whole region still.

    Raises:
        DiskError: The file cannot be written.

    """
    shapely.prepare(area)
    bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def look(batch: Batch) -> None:
        cut = batch.table[_CUT].to_numpy()
        if cut.any():
            widen(bounds, batch.boxes[cut])

    cut = (Batch.of(_cut(each.frame(), area)) for each in batches)
    waiting = Rows.kept(cut, path, attrs={}, watch=look)
    for frame in waiting.batches():
        polygons = frame.geometry.to_numpy()
        crossed = np.flatnonzero(frame[_CUT].to_numpy())
        measured = measure(polygons[crossed], frame.crs, bounds)
        for column, values in zip(("area_m2", "perimeter_m"), measured, strict=True):
            frame.iloc[crossed, frame.columns.get_loc(column)] = values
        yield Batch.of(frame.drop(columns=_CUT))


def _cut(frame: gpd.GeoDataFrame, area: shapely.Geometry) -> gpd.GeoDataFrame:
    """Cut some polygons, and mark those that were not inside as a whole."""
    polygons = frame.geometry.to_numpy()
    crossing = shapely.intersects(area, polygons)
    kept = shapely.contains_properly(area, polygons)
    crossing &= ~kept
    pieces = shapely.intersection(polygons[crossing], area)
    polygons = polygons.copy()
    polygons[crossing] = [only_polygons(piece) for piece in pieces]
    kept |= crossing & ~shapely.is_empty(polygons)
    clipped = frame.set_geometry(polygons, crs=frame.crs)
    return clipped.assign(**{_CUT: crossing})[kept].reset_index(drop=True)
