"""An area of interest on the pixels of a scene: which of them are in.

A pixel is in when its centre is. Along each row of centres one notes where the
edges of the area cross it: in behind the first crossing, out behind the second,
and so on. A crossing is computed from its edge and its row alone, so the mask of
any window is the crop of the mask of the scene, to the last pixel; and of two
areas that share an edge, exactly one has a pixel whose centre lies on it. (GDAL's
rasterizer keeps neither promise, and warns when threads share it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely import Geometry

    from geoseg.geo.geobox import GeoBox

_STRIP = 4096
"""Rows looked at together when the area's window is found."""


@dataclass(frozen=True)  # without slots: the edges are kept once they are known
class Aoi:
    """An area of interest on the pixels of a scene. Pickles cheaply."""

    geometry: Geometry
    """The area, a valid (multi)polygon in the scene's CRS."""
    geobox: GeoBox
    """The scene's plane."""
    window: Window
    """The smallest window of the scene that holds every pixel of the area."""
    warnings: tuple[str, ...] = ()
    """What was repaired or left out when the area was read, a sentence each."""

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window are in the area.

        The window may reach outside the scene; no pixel there is in. The
        answer for a pixel is the same in every window.

        Returns:
            Shape (y, x), True where the pixel's centre is in the area, and the
            pixel in the scene.

        """
        mask = np.zeros((window.height, window.width), np.bool_)
        common = window.intersection(self.window)
        if common is not None:
            for row, start, stop in _runs(self._edges, common).tolist():
                mask[row - window.row, start - window.col : stop - window.col] = True
        return mask

    def touches(self, window: Window) -> bool:
        """Tell whether any pixel of a window is in the area."""
        common = window.intersection(self.window)
        if common is None or self._is_full:
            return common is not None
        return len(_runs(self._edges, common)) > 0

    def told(self, warnings: tuple[str, ...]) -> Aoi:
        """Give the same area with more warnings."""
        return Aoi(self.geometry, self.geobox, self.window, self.warnings + warnings)

    def within(self, window: Window) -> Aoi | None:
        """Give the part of the area in a window; None where it has no pixel there."""
        frame = footprint(self.geobox.crop(window))
        area = shapely.intersection(self.geometry, frame)
        found = window_of(area, self.geobox)
        if found is None:
            return None
        return Aoi(area, self.geobox, found, self.warnings)

    @cached_property
    def _is_full(self) -> bool:
        """Whether every pixel of the area's window is in, as of a whole scene.

        A plan asks for each of a million tiles.
        """
        for strip in _strips(self.window):
            runs = _runs(self._edges, strip)
            if len(runs) < strip.height or (runs[:, 1:] != strip.cols).any():
                return False
        return True

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return _edges_of(self.geometry, self.geobox)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without the edges: the other side computes them again."""
        return Aoi, (self.geometry, self.geobox, self.window, self.warnings)


def whole_scene(geobox: GeoBox) -> Aoi:
    """Take every pixel of a scene as the area of interest."""
    window = Window(0, 0, geobox.height, geobox.width)
    return Aoi(footprint(geobox), geobox, window)


def footprint(geobox: GeoBox) -> Geometry:
    """Draw the outline of a scene's plane, in its CRS."""
    return shapely.Polygon(geobox.corners)


def window_of(area: Geometry, geobox: GeoBox) -> Window | None:
    """Find the smallest window of the scene that holds every pixel of the area."""
    edges = _edges_of(area, geobox)
    whole = Window(0, 0, geobox.height, geobox.width)
    found = [runs for strip in _strips(whole) if len(runs := _runs(edges, strip))]
    if not found:
        return None
    top, bottom = found[0][0, 0], found[-1][-1, 0]
    left = min(runs[:, 1].min() for runs in found)
    right = max(runs[:, 2].max() for runs in found)
    return Window.between((int(top), int(bottom) + 1), (int(left), int(right)))


def _strips(window: Window) -> Iterator[Window]:
    """Cut a window into bands of rows: an area may cross a row many times."""
    for row in range(*window.rows, _STRIP):
        height = min(_STRIP, window.rows[1] - row)
        yield Window(row, window.col, height, window.width)


def _edges_of(area: Geometry, geobox: GeoBox) -> NDArray[np.float64]:
    """List the edges of all rings in pixels: (edge, upper and lower end, row and col).

    The upper end comes first, whichever way the ring runs: areas on both sides
    of an edge compute the same crossings.
    """
    rings = shapely.get_rings(shapely.get_parts(area))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    pixels = _on_pixels(geobox, points)
    ends = np.stack((pixels[:-1], pixels[1:]), axis=1)
    edges: NDArray[np.float64] = ends[ring[:-1] == ring[1:]]
    upside_down = edges[:, 0, 0] > edges[:, 1, 0]
    edges[upside_down] = edges[upside_down, ::-1]
    return edges


def _on_pixels(geobox: GeoBox, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn points (x, y) into fractional pixels (row, col), shape (point, 2).

    The origin is subtracted first: corners on the pixel grid stay exact.
    """
    t = geobox.transform
    right, up = points[:, 0] - t.c, points[:, 1] - t.f
    rows, cols = t.a * up - t.d * right, t.e * right - t.b * up
    return np.column_stack((rows, cols)) / t.determinant


def _runs(edges: NDArray[np.float64], window: Window) -> NDArray[np.intp]:
    """List the runs of pixels of a window whose centres are in a valid area.

    An edge crosses the rows of centres from its upper end, included, to its
    lower end, not included; so a ring crosses each row evenly often, and the
    crossings of a row, sorted, are the beginnings and ends of its runs.

    Returns:
        A line a run, from the top down: row, first column, and the column
        behind the last, as in the scene. No run is empty.

    """
    first, stop = np.ceil(edges[:, :, 0] - 0.5).clip(*window.rows).astype(np.intp).T
    count = stop - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) - np.repeat(count.cumsum() - count - first, count)
    (row0, row1), (col0, col1) = edges[edge].T  # (row or col, upper or lower end)
    at = col0 + (row + 0.5 - row0) / (row1 - row0) * (col1 - col0)
    col = np.ceil(at - 0.5).clip(*window.cols).astype(np.intp)
    order = np.lexsort((col, row))
    row, col = row[order], col[order]
    runs = np.column_stack((row[::2], col[::2], col[1::2]))
    return runs[runs[:, 1] < runs[:, 2]]
