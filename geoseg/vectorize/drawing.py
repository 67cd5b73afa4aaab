"""How polygons are to be drawn: what is left out, merged and straightened."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.errors import VectorError


@dataclass(frozen=True, slots=True)
class Drawing:
    """How polygons are to be drawn; by default, every pixel's side as it is."""

    min_pixels: float = 0
    """Patches of fewer pixels go to the neighbour with the longest boundary."""

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if not self.min_pixels >= 0:
            raise VectorError(
                f"the smallest area to keep must not be negative, got {self.min_pixels}"
            )
