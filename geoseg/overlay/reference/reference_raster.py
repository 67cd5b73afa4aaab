"""A class raster of any grid as a reference, asked at the centres of a map's pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, SceneError
from geoseg.geo.legend import NODATA
from geoseg.overlay.reference.ground_points import may_overlap, no_overlap
from geoseg.overlay.reference.matching import counterparts, other_classes
from geoseg.raster.read import open_labels_raster
from geoseg.raster.resampled import ResampledMap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window
    from geoseg.raster import ClassMap

_FINEST = 8
"""How many pixels of a reference a map's pixel may be wide: at its centre one alone is
asked, and a block of the reference must fit into memory."""


@dataclass(frozen=True, slots=True)
class ReferenceRaster:
    """A class raster of any grid, asked at the centres of a map's pixels."""

    geobox: GeoBox
    """The map's plane."""
    source: ClassMap
    """The raster."""
    ids: tuple[int, ...]
    """The map's class id of each id of the raster, 0 to 255; 255 is none, -1 is
    unheard of."""
    names: tuple[str, ...]
    """The name of each id of the raster, 0 to 254; empty where it has no such class."""
    known: tuple[str, ...]
    """The names of the map's classes, for the sentence about another."""
    warnings: tuple[str, ...] = ()
    """What the user should know, a sentence each."""

    def near(self, window: Window) -> ReferenceRaster | None:
        """Take the raster, if it may have a pixel in a window."""
        own, plane = self.source.geobox, self.geobox.crop(window)
        return self if may_overlap(own.bounds, own.crs, plane) else None

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Give the class of each pixel of a window, shape ``(y, x)``; 255 is none.

        Raises:
            LabelsError: The raster holds a class that the map does not know.

        """
        values = ResampledMap(self.source, self.geobox).read(window)
        ids = np.asarray(self.ids, np.int16)[values]
        if (ids < 0).any():
            strange = [self.names[value] for value in np.unique(values[ids < 0])]
            raise other_classes(filter(None, self.names), strange, self.known)
        return ids.astype(np.uint8)


def open_raster(
    path: Path | str,
    geobox: GeoBox,
    classes: Mapping[str, int],
    mapping: Mapping[str, str],
    numbers: Mapping[str, int] | None = None,
) -> ReferenceRaster:
    """Open a class raster that lies on the map, and match its classes.

    A class is known by its name, its number and, where it is a colour, by that. Those
    that do not occur near the map may be in the mapping, too.

    Raises:
        LabelsError: It is none, lies elsewhere, has classes that the map has not, or
            pixels far smaller than the map's.

    """
    try:
        source = open_labels_raster(path, near=geobox)
        legend = source.legend()
    except SceneError as error:
        raise LabelsError(
            f"the reference {path} is no vector file, nor a class raster: {error}"
        ) from error
    own = source.geobox
    if not may_overlap(own.bounds, own.crs, geobox):
        raise no_overlap(path, own.bounds, own.crs, geobox)
    called = _called(legend, mapping)
    absent = {name: name for name in mapping if name not in called.values()}
    numbered = {name: name for name in absent if name.lstrip("-").isdecimal()}
    matched = counterparts([*called.values(), *numbered], classes, mapping, numbers)
    ids = [-1] * NODATA
    for value, name in called.items():
        found = matched[name]
        ids[value] = -1 if found is None else found
    return ReferenceRaster(
        geobox,
        source,
        (*ids, NODATA),
        tuple(called.get(value, "") for value in range(NODATA)),
        tuple(classes),
        (*source.warnings, *_grid_warnings(path, own, geobox)),
    )


def _called(legend: Legend, mapping: Mapping[str, str]) -> dict[int, str]:
    """Call each class by its name, or by its number where that is what is known."""
    called = {}
    for each in legend:
        number = str(each.number)
        is_plain = each.name in {f"class {number}", number}
        by_number = is_plain or (number in mapping and each.name not in mapping)
        called[each.id] = number if by_number else each.name
    return called


def _grid_warnings(path: Path | str, own: GeoBox, geobox: GeoBox) -> tuple[str, ...]:
    """Say that the grids differ; refuse one that is far too fine."""
    sides = f"{own.gsd_m():.3g} m, the map's of {geobox.gsd_m():.3g} m"
    if own.gsd_m() * _FINEST < geobox.gsd_m():
        raise LabelsError(
            f"the reference {path} has pixels of {sides}: bring it onto the map's "
            f"grid first, each pixel by its most frequent class (gdalwarp -r mode)"
        )
    if own.same_plane_as(geobox):
        return ()
    same_grid = own.crs == geobox.crs and np.allclose(
        [own.transform.a, own.transform.b, own.transform.d, own.transform.e],
        [
            geobox.transform.a,
            geobox.transform.b,
            geobox.transform.d,
            geobox.transform.e,
        ],
    )
    col, row = ~own.transform @ (geobox.transform.c, geobox.transform.f)
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
