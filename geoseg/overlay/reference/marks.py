"""Shapes of a vector file with their classes, as a reference takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import shapely

from geoseg.geo.geobox import Bounds

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.storage.vectors.read import VectorLayer


@dataclass(frozen=True, slots=True)
class Marks:
    """Shapes and what they say."""

    path: Path | str
    """Their file, for sentences about them."""
    layer: VectorLayer
    """The shapes, none of them missing, empty or a collection."""
    names: list[str]
    """The class of each as the file has it; empty where there is none."""
    ids: NDArray[np.uint8]
    """The map's class id of each; 255 where it is left out."""

    @property
    def bounds(self) -> Bounds:
        """Where they are, in their CRS."""
        return Bounds(*shapely.total_bounds(self.layer.shapes).tolist())
