"""A picture of a window: what its members show of it, at a picture's resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geoseg.scene.composite.rules import CompositeRecipe, combine
from geoseg.scene.members import blank_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.windows import Window
    from geoseg.scene.composite.observations import Observation
    from geoseg.scene.members import Member

_SHOWN_LOOKS = 9
"""Looks that a picture of a composite is made of."""


def picture_of(
    members: Sequence[Member],
    window: Window,
    bands: Sequence[int],
    shape: tuple[int, int],
) -> np.ma.MaskedArray:
    """Show what some members have of a window; of two with data, the first counts.

    Args:
        members: Those that show something of it, in their order.
        window: What to show, in pixels of the scene.
        bands: Which bands, counted from 0.
        shape: Rows and columns of the picture.

    Returns:
        Averages of pixels, shape ``(band, *shape)``, masked where there are none.

    """
    whole = blank_picture(len(bands), shape)
    for member in members:
        part = member.window.intersection(window)
        if part is None:
            continue
        rows = _shown(part.rows, window.rows, shape[0])
        cols = _shown(part.cols, window.cols, shape[1])
        size = rows.stop - rows.start, cols.stop - cols.start
        if min(size) < 1:
            continue
        shown = member.picture(part, bands, size)
        free = np.ma.getmaskarray(whole[:, rows, cols])
        if free.all():
            whole[:, rows, cols] = shown
        else:
            whole[:, rows, cols][free] = shown[free]
    return whole


def picture_of_looks(
    looks: Sequence[Observation],
    window: Window,
    bands: Sequence[int],
    shape: tuple[int, int],
) -> np.ma.MaskedArray:
    """Show the median of some looks; where they were clouded is not asked.

    Args:
        looks: All looks of a composite at the ground.
        window: As `picture_of` takes it; so are bands and shape.
        bands: See there.
        shape: See there.

    """
    step = -(-len(looks) // _SHOWN_LOOKS)
    seen = [picture_of(e.members, window, bands, shape) for e in looks[::step]]
    there = np.stack([~np.ma.getmaskarray(each).any(axis=0) for each in seen])
    stack = np.stack([each.data for each in seen])
    found = combine(stack, there, CompositeRecipe("median"), bands)
    hidden = np.broadcast_to(~found.valid, found.pixels.shape)
    return np.ma.MaskedArray(found.pixels, mask=hidden)


def _shown(part: tuple[int, int], window: tuple[int, int], size: int) -> slice:
    """Which pixels of a picture of a window have their centre in a part of it."""
    scale = size / (window[1] - window[0])
    start, stop = (math.ceil((edge - window[0]) * scale - 0.5) for edge in part)
    return slice(max(start, 0), min(stop, size))
