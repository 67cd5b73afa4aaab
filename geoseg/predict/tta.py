"""Test-time augmentation: views of a tile, and what comes of them turned back.

A view from above has no up: turned by a quarter or mirrored, the ground is the same,
but a network rarely says quite the same of it. The mean over all eight views of a
square (the dihedral group of order 8), or over the four that keep rows and columns,
is steadier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from torch import Tensor, channels_last, rot90

from geoseg.options import Augmentation

AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)

_PLANE = (-2, -1)


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a tile: mirrored or not, then turned."""

    turns: int
    """Quarter turns, counterclockwise as rows grow downwards."""
    mirrored: bool
    """Whether columns change sides before."""

    def show(self, tiles: Tensor) -> Tensor:
        """Turn ``(tile, band, y, x)``; a view without change copies nothing."""
        if not self.turns and not self.mirrored:
            return tiles
        flipped = tiles.flip(-1) if self.mirrored else tiles
        return rot90(flipped, self.turns, _PLANE).contiguous(
            memory_format=channels_last
        )

    def undo(self, tiles: Tensor) -> Tensor:
        """Turn back what `show` turned."""
        back = rot90(tiles, -self.turns, _PLANE) if self.turns else tiles
        return back.flip(-1) if self.mirrored else back


_FLIPS = tuple(View(turns, mirrored) for turns in (0, 2) for mirrored in (False, True))
_QUARTERS = tuple(
    View(turns, mirrored) for turns in (1, 3) for mirrored in (False, True)
)
VIEWS: dict[Augmentation, tuple[View, ...]] = {
    "none": _FLIPS[:1],
    "flips": _FLIPS,
    "d4": _FLIPS + _QUARTERS,
}
"""The views of each augmentation, the tile itself first."""
