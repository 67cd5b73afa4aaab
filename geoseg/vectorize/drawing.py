"""How polygons are to be drawn: what is left out, merged and straightened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import VectorError, listed
from geoseg.vectorize.units import read_area, read_length

if TYPE_CHECKING:
    from geoseg.geo.legend import Legend
    from geoseg.options import PolygonOptions

_CONNECTIVITIES = (4, 8)
_MOST_SMOOTHING = 4
"""Each time doubles the vertices, and needs two more bits for their coordinates."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How polygons are to be drawn; by default, every pixel's side as it is."""

    min_pixels: float = 0
    """Patches of fewer pixels go to the neighbour with the longest boundary."""
    min_area_m2: float = 0
    """The same in square metres on the ground, instead."""
    tolerance: float = 0
    """How far lines may move to become straighter, in sides of a pixel."""
    tolerance_m: float = 0
    """The same in metres on the ground, instead."""
    smoothing: int = 0
    """How often corners are cut, after straightening (Chaikin's way), 0 to 4."""
    connectivity: int = 4
    """4: pixels that touch at a corner only are two regions. 8: they are one, a
    multipolygon, on both diagonals where two pairs of pixels cross."""
    dissolve: bool = False
    """One multipolygon for each class instead of a polygon for each region."""
    classes: frozenset[int] | None = None
    """The ids of the classes to draw; None for all. Patches of the others still
    take part in merging."""

    @classmethod
    def of(cls, options: PolygonOptions, legend: Legend) -> Drawing:
        """Say what is asked in numbers and class ids of a map.

        Raises:
            InputError: A unit, number or class name means nothing.

        """
        smallest, tolerance = read_area(options.min_area), read_length(options.simplify)
        names = listed(options.classes, "classes")
        return cls(
            min_pixels=smallest.pixels,
            min_area_m2=smallest.ground,
            tolerance=tolerance.pixels,
            tolerance_m=tolerance.ground,
            smoothing=options.smooth,
            connectivity=options.connectivity,
            dissolve=options.dissolve,
            classes=frozenset(legend.by_name(name).id for name in names) or None,
        )

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        _check("the smallest area to keep", self.min_pixels, self.min_area_m2)
        _check("the tolerance of lines", self.tolerance, self.tolerance_m)
        if not 0 <= self.smoothing <= _MOST_SMOOTHING:
            raise VectorError(
                f"corners can be cut 0 to {_MOST_SMOOTHING} times, got {self.smoothing}"
            )
        if self.connectivity not in _CONNECTIVITIES:
            raise VectorError(
                f"pixels are connected through 4 sides or to 8 neighbours, "
                f"got {self.connectivity}"
            )


def _check(what: str, pixels: float, ground: float) -> None:
    """Refuse a size that is negative, or given in two units."""
    for size in (pixels, ground):
        if not size >= 0:
            raise VectorError(f"{what} must not be negative, got {size}")
    if pixels and ground:
        raise VectorError(
            f"{what} is given in pixels or on the ground, not both: got {pixels} px "
            f"and {ground} in metres"
        )
