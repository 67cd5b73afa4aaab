"""What a user may say about an export of chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoseg.options import option
from geoseg.train.options import GroundOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TileOptions(GroundOptions):
    """How to cut chips; without labels only bands, chip and overlap mean something."""

    HEADING: ClassVar[str] = "Chips"

    overlap: int = option(0, "Pixels that neighbouring chips share.")
    validation: bool = option(
        False,
        "Hold the next fold out, too, to choose an epoch on: the part 'validate'.",
    )
    stac: bool = option(
        False, "Write a STAC catalogue beside the GeoParquet index, too."
    )
