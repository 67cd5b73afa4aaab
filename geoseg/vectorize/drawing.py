"""How polygons are to be drawn: what is left out, merged and straightened."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.errors import VectorError

_CONNECTIVITIES = (4, 8)
_MOST_SMOOTHING = 4
"""Each time doubles the vertices, and needs two more bits for their places."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How polygons are to be drawn; by default, every pixel's side as it is."""

    min_pixels: float = 0
    """Patches of fewer pixels go to the neighbour with the longest boundary."""
    tolerance: float = 0
    """How far lines may move to become straighter, in sides of a pixel."""
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

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if not self.min_pixels >= 0:
            raise VectorError(
                f"the smallest area to keep must not be negative, got {self.min_pixels}"
            )
        if not self.tolerance >= 0:
            raise VectorError(
                f"the tolerance of lines must not be negative, got {self.tolerance}"
            )
        if not 0 <= self.smoothing <= _MOST_SMOOTHING:
            raise VectorError(
                f"corners can be cut 0 to {_MOST_SMOOTHING} times, got {self.smoothing}"
            )
        if self.connectivity not in _CONNECTIVITIES:
            raise VectorError(
                f"pixels are connected through 4 sides or to 8 neighbours, "
                f"got {self.connectivity}"
            )

    @property
    def keeps_pixels(self) -> bool:
        """Whether polygons run along pixel sides, so that areas are exact."""
        return self.tolerance == 0 and self.smoothing == 0
