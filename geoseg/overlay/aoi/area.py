"""An area of interest on the pixels of a scene: which of them are in.

The rule is that of `geoseg.overlay.coverage`: a pixel is in when its centre is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.geo.windows import Window
from geoseg.overlay.coverage import Edges

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
        """Return which pixels of a window are in the area.

        The window may reach outside the scene; no pixel there is in. The
        answer for a pixel is the same in every window.

        Returns:
            Shape (y, x), True where the pixel's centre is in the area, and the
            pixel in the scene.

        """
        mask = np.zeros((window.height, window.width), np.bool_)
        common = window.intersection(self.window)
        if common is not None:
            for _, row, start, stop in self._edges.runs(common).tolist():
                mask[row - window.row, start - window.col : stop - window.col] = True
        return mask

    def touches(self, window: Window) -> bool:
        """Return whether any pixel of a window is in the area."""
        common = window.intersection(self.window)
        if common is None or self._is_full:
            return common is not None
        return len(self._edges.runs(common)) > 0

    def fills(self, window: Window) -> bool:
        """Return whether a window is in for sure: each pixel, of a whole scene, say."""
        return self.window.contains(window) and self._is_full

    def with_warnings(self, warnings: tuple[str, ...]) -> Aoi:
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
            runs = self._edges.runs(strip)
            if len(runs) < strip.height or (runs[:, 2:] != strip.cols).any():
                return False
        return True

    @cached_property
    def _edges(self) -> Edges:
        return Edges.of([self.geometry], self.geobox)

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
    edges = Edges.of([area], geobox)
    whole = Window(0, 0, geobox.height, geobox.width)
    found = [runs for strip in _strips(whole) if len(runs := edges.runs(strip))]
    if not found:
        return None
    top, bottom = found[0][0, 1], found[-1][-1, 1]
    left = min(runs[:, 2].min() for runs in found)
    right = max(runs[:, 3].max() for runs in found)
    return Window.between((int(top), int(bottom) + 1), (int(left), int(right)))


def _strips(window: Window) -> Iterator[Window]:
    """Cut a window into bands of rows: an area may cross a row many times."""
    for row in range(*window.rows, _STRIP):
        height = min(_STRIP, window.rows[1] - row)
        yield Window(row, window.col, height, window.width)
