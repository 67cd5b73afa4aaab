"""What a user may say about polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from geoseg.options.declare import option


@dataclass(frozen=True, slots=True, kw_only=True)
class PolygonOptions:
    """How polygons are drawn; by default, every pixel's side as it is."""

    HEADING: ClassVar[str] = "Polygons"

    min_area: str = option(
        "0px",
        "Patches below this, on the ground or in pixels, go to the neighbour with "
        "which they share the longest boundary: 0.5ha, 400m2, 12px.",
    )
    simplify: str = option(
        "0px", "How far lines may move to become straighter: 1.5px, 15m."
    )
    smooth: int = option(
        0, "How often corners are cut, after straightening (Chaikin), 0 to 4."
    )
    connectivity: Literal[4, 8] = option(
        4, "Whether pixels that touch at a corner only are one region (8) or two (4)."
    )
    dissolve: bool = option(
        False, "One multipolygon for each class instead of a polygon for each region."
    )
    classes: str | Sequence[str] = option(
        (), "Draw these classes only.", otherwise="all", metavar="NAME,NAME"
    )
