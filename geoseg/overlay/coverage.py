"""Which pixels polygons cover: the one rule, of areas, labels and references.

A pixel is covered when its centre is. Along each row of centres one notes where the
edges of a polygon cross it: in behind the first crossing, out behind the second, and so
on. A crossing is computed from its edge and its row alone, so the answer for any window
is the crop of that for the whole plane, to the last pixel; and of two polygons that
share an edge, exactly one has a pixel whose centre lies on it. (GDAL's rasterizer keeps
neither promise, and warns when threads share it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely import Geometry

    from geoseg.geo.geobox import GeoBox

_PIXELS = 1 << 20
"""How many pixels are painted together."""
NO_POLYGONS = "shape that is no polygon", "shapes that are no polygons"
"""What is left out of areas and references: one, and several."""
NOBODY = -1
"""What is said of a pixel that no polygon covers."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of all rings of some polygons, in fractional pixels of a plane."""

    ends: NDArray[np.float64]
    """Shape ``(edge, upper and lower end, row and col)``. The upper end comes first,
    whichever way the ring runs: polygons on both sides compute the same crossings."""
    owners: NDArray[np.intp]
    """Which polygon each belongs to."""

    @classmethod
    def of(
        cls, polygons: Sequence[Geometry] | NDArray[np.object_], geobox: GeoBox
    ) -> Edges:
        """List the edges of (multi)polygons in the plane's CRS.

        One with a corner that is nowhere has none: it covers nothing.
        """
        parts, of_part = shapely.get_parts(np.asarray(polygons), return_index=True)
        rings, of_ring = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        owner = of_part[of_ring[ring]]
        nowhere = ~np.isfinite(points).all(axis=1)
        lost = owner[nowhere]
        points[nowhere] = 0.0
        pixels = _on_pixels(geobox, points)
        ends = np.stack((pixels[:-1], pixels[1:]), axis=1)
        own = (ring[:-1] == ring[1:]) & ~np.isin(owner[:-1], lost)
        edges: NDArray[np.float64] = ends[own]
        upside_down = edges[:, 0, 0] > edges[:, 1, 0]
        edges[upside_down] = edges[upside_down, ::-1]
        return cls(edges, owner[:-1][own])

    def runs(self, window: Window) -> NDArray[np.intp]:
        """List the runs of pixels of a window that each polygon covers.

        An edge crosses the rows of centres from its upper end, included, to its
        lower end, not included; so a ring crosses each row evenly often, and the
        crossings of a row, sorted, are the beginnings and ends of its runs.

        Returns:
            A line a run, polygon by polygon and from the top down: polygon, row, first
            column, and the column behind the last, as in the plane. No run is empty.

        """
        tops, ends = np.ceil(self.ends[:, :, 0] - 0.5).clip(*window.rows).T
        first, stop = tops.astype(np.intp), ends.astype(np.intp)
        count = stop - first
        edge = np.repeat(np.arange(len(self.ends)), count)
        row = np.arange(len(edge)) - np.repeat(count.cumsum() - count - first, count)
        (row0, row1), (col0, col1) = self.ends[edge].T  # (row or col, upper or lower)
        at = col0 + (row + 0.5 - row0) / (row1 - row0) * (col1 - col0)
        col = np.ceil(at - 0.5).clip(*window.cols).astype(np.intp)
        line = self.owners[edge] * window.height + row - window.row
        order = np.lexsort((col, line))
        line, col = line[order][::2], col[order]
        owner, row = np.divmod(line, window.height)
        runs = np.column_stack((owner, row + window.row, col[::2], col[1::2]))
        return runs[runs[:, 2] < runs[:, 3]]


def uppermost(
    polygons: Sequence[Geometry] | NDArray[np.object_], geobox: GeoBox, window: Window
) -> NDArray[np.int32]:
    """Return which of some polygons lies on top of each pixel: the last that covers it.

    Args:
        polygons: (Multi)polygons in the plane's CRS, at least one.
        geobox: The plane.
        window: Which of its pixels; the answer for one is the same in every window.

    Returns:
        Shape ``(y, x)``: the polygon's index, `NOBODY` where there is none.

    """
    edges = Edges.of(polygons, geobox)
    top = np.full((window.height, window.width), NOBODY, np.int32)
    height = max(1, _PIXELS // window.width)
    for row in range(*window.rows, height):
        strip = Window(row, window.col, min(height, window.rows[1] - row), window.width)
        owner, rows, first, stop = edges.runs(strip).T
        starts = (rows - window.row) * window.width + first - window.col
        count = stop - first
        begun = count.cumsum() - count
        pixel = np.arange(count.sum()) + np.repeat(starts - begun, count)
        top.reshape(-1)[pixel] = np.repeat(owner, count)  # of equals, the last stays
    return top


def _on_pixels(geobox: GeoBox, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn points (x, y) into fractional pixels (row, col), shape (point, 2).

    The origin is subtracted first: corners on the pixel grid stay exact.
    """
    t = geobox.transform
    right, up = points[:, 0] - t.c, points[:, 1] - t.f
    rows, cols = t.a * up - t.d * right, t.e * right - t.b * up
    return np.column_stack((rows, cols)) / t.determinant
