"""A class raster of any grid as a reference, asked at the centres of a map's pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.classes import NODATA
from geoseg.errors import LabelsError, SceneError
from geoseg.grid import Window
from geoseg.mosaic import ClassMap
from geoseg.reference.classes import counterparts, other_classes
from geoseg.reference.pixels import are_on, may_overlap, no_overlap, pixels_at, places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.georef import Georef

_FINEST = 8
"""How many pixels of a reference a map's pixel may be wide: at its centre one alone is
asked, and a block of the reference must fit into memory."""


@dataclass(frozen=True, slots=True)
class LabelRaster:
    """A class raster of any grid, asked at the centres of a map's pixels."""

    georef: Georef
    """The map's plane."""
    source: ClassMap
    """The raster."""
    ids: tuple[int, ...]
    """The map's class id of each value, 0 to 255; 255 is none, -1 is unheard of."""
    names: tuple[str, ...]
    """The name of each value, 0 to 254, in the raster's own legend, or its digits."""
    known: tuple[str, ...]
    """The names of the map's classes, for the sentence about a value without one."""
    warnings: tuple[str, ...] = ()
    """What the user should know, a sentence each."""

    def near(self, window: Window) -> LabelRaster | None:
        """Take the raster, if it may have a pixel in a window."""
        own, plane = self.source.georef, self.georef.crop(window)
        return self if may_overlap(own.bounds, own.crs, plane) else None

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Give the class of each pixel of a window, shape ``(y, x)``; 255 is none.

        Raises:
            LabelsError: The raster holds a class that the map does not know.

        """
        rows, cols = self._pixels(window)
        there = are_on(self.source.georef, rows, cols)
        values = np.full(there.shape, NODATA, np.uint8)
        if there.any():
            rows, cols = rows[there], cols[there]
            part = Window.between(
                (int(rows.min()), int(rows.max()) + 1),
                (int(cols.min()), int(cols.max()) + 1),
            )
            values[there] = self.source.read(part)[rows - part.row, cols - part.col]
        ids = np.asarray(self.ids, np.int16)[values]
        if (ids < 0).any():
            found = [self.names[v] for v in self.source.counts() if v != NODATA]
            strange = [self.names[v] for v in np.unique(values[ids < 0])]
            raise other_classes(found, strange, self.known)
        return ids.astype(np.uint8)

    def _pixels(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the raster's pixels at the centres of a window's, shape ``(y, x)``."""
        col, row = np.meshgrid(
            np.arange(window.width) + window.col + 0.5,
            np.arange(window.height) + window.row + 0.5,
        )
        x, y = places(self.georef, row, col)
        return pixels_at(self.source.georef, x, y, self.georef.crs)


def open_raster(
    path: Path, georef: Georef, classes: Mapping[str, int], mapping: Mapping[str, str]
) -> LabelRaster:
    """Open a class raster that lies on the map, and match its classes.

    Raises:
        LabelsError: It is none, lies elsewhere, has classes that the map has not, or
            pixels far smaller than the map's.

    """
    try:
        source = ClassMap.open(path)
        legend = source.legend()
    except SceneError as error:
        raise LabelsError(
            f"the reference {path} is no vector file, nor a class raster: {error}"
        ) from error
    own = source.georef
    if not may_overlap(own.bounds, own.crs, georef):
        raise no_overlap(path, own.bounds, own.crs, georef)
    names = tuple(map(str, range(NODATA)))
    if legend is not None:
        named = {land_class.id: land_class.name for land_class in legend}
        names = tuple(named.get(value, str(value)) for value in range(NODATA))
    matched = counterparts(names, classes, mapping)
    ids = (-1 if (value := matched[name]) is None else value for name in names)
    return LabelRaster(
        georef,
        source,
        (*ids, NODATA),
        names,
        tuple(classes),
        _grid_warnings(path, own, georef),
    )


def _grid_warnings(path: Path, own: Georef, georef: Georef) -> tuple[str, ...]:
    """Say that the grids differ; refuse one that is far too fine."""
    sides = f"{own.gsd_m():.3g} m, the map's of {georef.gsd_m():.3g} m"
    if own.gsd_m() * _FINEST < georef.gsd_m():
        raise LabelsError(
            f"the reference {path} has pixels of {sides}: bring it onto the map's "
            f"grid first, each pixel by its most frequent class (gdalwarp -r mode)"
        )
    if own.same_plane_as(georef):
        return ()
    same_grid = own.crs == georef.crs and np.allclose(
        [own.transform.a, own.transform.b, own.transform.d, own.transform.e],
        [
            georef.transform.a,
            georef.transform.b,
            georef.transform.d,
            georef.transform.e,
        ],
    )
    col, row = ~own.transform @ (georef.transform.c, georef.transform.f)
    if (
        same_grid
        and math.isclose(col, round(col), abs_tol=1e-3)
        and math.isclose(row, round(row), abs_tol=1e-3)
    ):
        return ()
    return (
        (
            f"{path} is on another grid (pixels of {sides}): it is asked at the centre "
            f"of each of the map's pixels"
        ),
    )
