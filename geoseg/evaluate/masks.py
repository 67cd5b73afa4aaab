"""Where a map is compared: in an area, in held-out blocks, or where both are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import PlanError
from geoseg.geo.splits import FOLDS, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.evaluate.blocks import Inside
    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window


def inside_of(*parts: Inside | None) -> Inside | None:
    """Take what is in all parts that are given; None for everywhere."""
    given = tuple(part for part in parts if part is not None)
    return _All(given) if given else None


def split_of(fold: str | None, block: int, geobox: GeoBox) -> Split | None:
    """Cut a map into blocks as a training cuts its scene.

    Args:
        fold: The held-out fold, such as ``0/5``; None where none is.
        block: Side of a block in pixels.
        geobox: The map's plane, of the whole scene.

    Raises:
        PlanError: There is no such fold, or no such block.

    """
    if fold is None:
        return None
    number, _, folds = fold.partition("/")
    if not number.isdecimal() or folds != str(FOLDS):
        raise PlanError(
            f"a held-out fold is written 0/{FOLDS} to {FOLDS - 1}/{FOLDS}, got {fold!r}"
        )
    if block < 1:
        raise PlanError(f"held-out blocks need at least one pixel a side, got {block}")
    return Split(geobox.height, geobox.width, int(number), block)


@dataclass(frozen=True, slots=True)
class _All:
    """What is in each of several parts."""

    parts: tuple[Inside, ...]

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Mark the pixels of a window that are in all, shape ``(y, x)``."""
        masks = [part.mask(window) for part in self.parts]
        inside: NDArray[np.bool_] = np.all(masks, axis=0)
        return inside


@dataclass(frozen=True, slots=True)
class MaskRaster:
    """An area as a raster: 1 inside, 0 outside."""

    area: Inside
    geobox: GeoBox

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window, shape ``(y, x)``."""
        return self.area.mask(window).astype(np.uint8)
