"""How much ground of each class lies in each zone, by exact shares of pixels.

A pixel on a zone's edge counts with the share of it that the zone covers, as
`exactextract` computes it, so that the figures of zones that share an edge sum to those
of their union. Zones are looked at in the plane of pixels: rotated grids are no
exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.overlay.aoi import only_polygons
from geoseg.raster.extents import pixel_areas, squares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from affine import Affine
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.overlay.aoi import Zones
    from geoseg.raster import ClassMap

_VALUES = NODATA + 1
_HUNDRED = 100.0
_WKT = 'LOCAL_CS["pixels",UNIT["pixel",1]]'
"""What cells and zones are both in, for a library that compares the two."""


@dataclass(frozen=True, slots=True)
class ZonalAreas:
    """What zones hold of a map; arrays of shape ``(zone, class)``."""

    areas: NDArray[np.float64]
    """Square metres on the ground."""
    unmapped: NDArray[np.float64]
    """Square metres on the map's grid that have no class, shape ``(zone,)``."""
    confidence: NDArray[np.float64]
    """The mean confidence on that ground, 0 to 1; NaN where it is not known."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each class's part of a zone's ground that has one; NaN where none has."""
        whole = self.areas.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.areas / whole)


def zonal_areas(
    source: ClassMap, zones: Zones, legend: Legend, confidence: ClassMap | None
) -> ZonalAreas:
    """Measure a map within zones, square by square, in one order.

    Args:
        source: The map.
        zones: The zones, in its CRS; memory is that of their shapes and of a square.
        legend: The map's classes.
        confidence: Confidences in percent on the map's pixels; None where there
            are none.

    Raises:
        SceneError: A raster cannot be read.

    """
    shapes = _in_pixels(zones.shapes, source.geobox.transform)
    index = shapely.STRtree(shapes)
    height, width = source.geobox.height, source.geobox.width
    # Of each zone and value: area, area of known confidence, and confidence on it.
    sums = np.zeros((3, len(shapes), _VALUES))
    for window in squares(Window(0, 0, height, width)):
        found = np.sort(index.query(_box(window), "intersects"))
        if not found.size:
            continue
        values = source.read(window).ravel()
        sizes = pixel_areas(source.geobox, window).ravel()
        sure = np.full(values.shape, NODATA, np.uint8)
        if confidence is not None:
            sure = confidence.read(window).ravel()
        known = sizes * (sure != NODATA)
        terms = np.stack([sizes, known, known * sure / _HUNDRED])
        for zone, cells, parts in _covered(shapes, found, window):
            for at, term in enumerate(terms):
                there = values[cells], parts * term[cells]
                sums[at, zone] += np.bincount(*there, _VALUES)
    areas, weights, sure_areas = sums[:, :, list(legend.ids)]
    with np.errstate(invalid="ignore"):
        mean = sure_areas / weights
    return ZonalAreas(areas, sums[0, :, NODATA], mean)


def zones_at(
    zones: Zones,
    transform: Affine,
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Find in which zones the centres of pixels lie, shape ``(zone, pixel)``."""
    shapes = _in_pixels(zones.shapes, transform)
    found = np.zeros((len(shapes), len(rows)), bool)
    centres = shapely.points(cols + 0.5, -(rows + 0.5))
    pixels, within = shapely.STRtree(shapes).query(centres, "intersects")
    found[within, pixels] = True
    return found


def _in_pixels(shapes: NDArray[np.object_], transform: Affine) -> NDArray[np.object_]:
    """Bring shapes into the plane of columns and rows, rows pointing up."""
    back = ~transform

    def to_pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points.T
        cols, rows = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
        return np.column_stack([cols, -rows])

    moved = np.asarray(shapely.transform(shapes, to_pixels), object)
    bent = ~(shapely.is_valid(moved) | shapely.is_missing(moved))  # by rounding
    moved[bent] = shapely.make_valid(moved[bent])
    return moved


def _box(window: Window) -> shapely.Geometry:
    (top, bottom), (left, right) = window.rows, window.cols
    return shapely.box(left, -bottom, right, -top)


def _covered(
    shapes: NDArray[np.object_], zones: NDArray[np.intp], window: Window
) -> Iterator[tuple[int, NDArray[np.intp] | slice, NDArray[np.float64] | float]]:
    """Say which cells of a window each of some zones covers, and how much of each.

    Yields:
        The zone, indices into the window's cells, row by row, and shares above 0.

    """
    box = _box(window)
    whole = shapely.covers(shapes[zones], box)
    for zone in zones[whole].tolist():
        yield zone, slice(None), 1.0
    # Given parts that only touch the cells, exactextract 0.3 may end the process.
    cut = zones[~whole]
    parts = [only_polygons(each) for each in shapely.intersection(shapes[cut], box)]
    frame = geopandas.GeoDataFrame({"zone": cut}, geometry=parts, crs=_WKT)
    frame = frame[~frame.is_empty]
    if frame.empty:
        return
    left, low, right, top = box.bounds
    plane = NumPyRasterSource(
        np.zeros((window.height, window.width), np.uint8),
        xmin=left,
        ymin=low,
        xmax=right,
        ymax=top,
        srs_wkt=_WKT,
    )
    found = exact_extract(
        plane, frame, ["cell_id", "coverage"], include_cols=["zone"], output="pandas"
    )
    yield from found[["zone", "cell_id", "coverage"]].itertuples(index=False, name=None)
