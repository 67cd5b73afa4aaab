"""A class raster as labels, found at the pixels of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import LabelsError, SceneError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.raster.read import open_labels_raster
from geoseg.raster.resampled import ResampledMap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import LandClass, Legend
    from geoseg.raster import ClassMap


@dataclass(frozen=True, slots=True)
class LabelRaster:
    """A raster each of whose values is a class."""

    source: ClassMap
    """The raster."""
    legend: Legend
    """Its classes, with their numbers and colours there."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes by name, or by number where they have none."""
        return tuple(_names(each)[0] for each in self.legend)

    @property
    def also(self) -> Mapping[str, tuple[str, ...]]:
        """What else each class is called: by its number and by its colour."""
        return {_names(each)[0]: _names(each)[1:] for each in self.legend}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know, a sentence each."""
        return self.source.warnings

    def rasterize(self, geobox: GeoBox, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give each pixel the value of the class at its centre in the raster.

        Args:
            geobox: The pixel plane wanted.
            values: The value of each class, by any of its names; others are left out.

        Returns:
            Shape ``(height, width)`` of the plane; 255 where there is no class.

        Raises:
            LabelsError: No labelled pixel lies on the plane.

        """
        gridded = self.on_grid(geobox, values)
        rasterized = gridded.read(Window(0, 0, geobox.height, geobox.width))
        if (rasterized == NODATA).all():
            raise LabelsError(
                f"no labelled pixel of {self.source.raster.name} lies in the scene, "
                f"which covers {geobox.bounds} (left, bottom, right, top in the "
                f"scene's CRS)"
            )
        return rasterized

    def on_grid(self, geobox: GeoBox, values: Mapping[str, int]) -> RasterOnGrid:
        """Lay the raster on a plane, to be read window by window."""
        table = [NODATA] * (NODATA + 1)
        for each in self.legend:
            known = (values[name] for name in _names(each) if name in values)
            table[each.id] = next(known, NODATA)
        return RasterOnGrid(ResampledMap(self.source, geobox), tuple(table))


@dataclass(frozen=True, slots=True)
class RasterOnGrid:
    """A class raster on the pixels of a plane."""

    gridded: ResampledMap
    """The raster on the plane."""
    table: tuple[int, ...]
    """What each of its ids becomes, 0 to 255; 255 is none."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Find the classes of a window of the plane; 255 where there is none."""
        return np.asarray(self.table, np.uint8)[self.gridded.read(window)]


def open_label_raster(path: Path | str) -> LabelRaster:
    """Open a raster of classes as labels.

    Raises:
        LabelsError: It is none.

    """
    try:
        source = open_labels_raster(path)
        legend = source.legend()
    except SceneError as error:
        raise LabelsError(
            f"the file of labels {path} is no vector file, and no raster of classes: "
            f"{error}"
        ) from error
    if source.values is not None and not source.values.found:
        raise LabelsError(f"{path} is no raster of classes: all of it is nodata")
    return LabelRaster(source, legend)


def _names(each: LandClass) -> tuple[str, ...]:
    """Give what a class is called: its name if it has one, its number, its colour."""
    number = str(each.number)
    names = dict.fromkeys((each.name, number, each.colour.lower()))
    if each.name == f"class {number}":
        del names[each.name]
    return tuple(names)
