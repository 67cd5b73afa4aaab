"""What a user may say about an export of chips."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.train.options import GroundOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TileOptions(GroundOptions):
    """How to cut chips; without labels only bands, chip and overlap mean something."""

    overlap: int = 0
    """Pixels that neighbouring chips share."""
    validation: bool = False
    """Hold the next fold out, too, to choose an epoch on."""
    stac: bool = False
    """Write a STAC catalogue beside the GeoParquet index."""
