"""From which pixels a sample is drawn: within the map's classes, or in other strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.geo.legend import NODATA
from geoseg.raster import ClassMap

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window


@dataclass(frozen=True, slots=True)
class Population:
    """The pixels of a map that have a class and a stratum; it is read as a raster."""

    source: ClassMap
    """The map."""
    strata: ClassMap | None
    """Another raster on its pixels whose values are the strata; None where they are
    the map's classes."""

    @classmethod
    def of(cls, source: ClassMap, strata: Path | str | None) -> Population:
        """Open the strata.

        Raises:
            SceneError: They cannot be read, or are not on the map's pixels.

        """
        if strata is None:
            return cls(source, None)
        raster = ClassMap.open(strata)
        if not raster.geobox.same_plane_as(source.geobox):
            raise SceneError(
                f"strata lie on the map's own pixels, but those of {strata} are not "
                f"those of {source.path}; bring them there, say with gdalwarp -r near "
                f"-te, -ts and -t_srs as the map has them"
            )
        return cls(source, raster)

    @property
    def geobox(self) -> GeoBox:
        """The map's plane."""
        return self.source.geobox

    @property
    def noun(self) -> str:
        """What a stratum is called where a person reads of it."""
        return "class" if self.strata is None else "stratum"

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read the strata of a window, shape ``(y, x)``; 255 where nothing is drawn."""
        mapped = self.source.read(window)
        if self.strata is None:
            return mapped
        found = self.strata.read(window)
        return np.where(mapped == NODATA, np.uint8(NODATA), found)

    def legend(self) -> Legend:
        """Name the strata."""
        return (self.source if self.strata is None else self.strata).legend()
