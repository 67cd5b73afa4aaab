"""A window of a composite, strip by strip: memory is dates times a strip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from geoseg.geo.windows import Window
from geoseg.scene.composite.rules import NONE, Composite, combine
from geoseg.scene.files.datasets import at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.scene.composite.observations import Observation
    from geoseg.scene.composite.rules import CompositeRecipe
    from geoseg.scene.members import Member

STACK_BYTES = 64 << 20
"""Bytes of all looks at a strip that are held at a time, as far as a strip can be
shortened: a row of a file's blocks is decoded as a whole."""
_SIDE = 512
"""Pixels that the sides of a strip are multiples of, where it is larger: what most
files are cut into."""


class Looks(Protocol):
    """A scene whose members are several looks at one ground."""

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The looks, in the order in which they count."""

    @property
    def dtype(self) -> str:
        """The pixels' numpy dtype."""

    def mosaic(
        self, members: Sequence[Member], window: Window, bands: Sequence[int]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read some members as one image, masked and in the scene's unit."""


def read_composite(
    looks: Looks, recipe: CompositeRecipe, window: Window, bands: Sequence[int]
) -> Composite:
    """Read a window of a composite.

    Args:
        looks: What it is made of.
        recipe: How.
        window: In pixels of the scene.
        bands: Which bands, counted from 0.

    """
    shape = window.height, window.width
    whole = Composite(
        np.zeros((len(bands), *shape), looks.dtype),
        np.zeros(shape, np.uint16),
        np.full(shape, NONE, np.int32),
    )
    numbers = len({*bands, *recipe.weighed}) * np.dtype(looks.dtype).itemsize
    for strip in strips(window, _depth(looks, window) * numbers):
        found = _read_strip(looks, recipe, strip, bands)
        if found is not None:
            inside = strip.relative_to(window).slices()
            whole.pixels[(slice(None), *inside)] = found.pixels
            whole.counts[inside] = found.counts
            whole.chosen[inside] = found.chosen
    return whole


def _depth(looks: Looks, window: Window) -> int:
    """Count the looks that show something of a window."""
    return sum(
        any(member.window.intersection(window) for member in look.members)
        for look in looks.observations
    )


def _read_strip(
    looks: Looks, recipe: CompositeRecipe, strip: Window, bands: Sequence[int]
) -> Composite | None:
    """Stack the looks that show a strip, and combine them; None where none does."""
    seen = [
        (index, members)
        for index, look in enumerate(looks.observations)
        if (members := [m for m in look.members if m.window.intersection(strip)])
    ]
    if not seen:
        return None
    wanted = list(dict.fromkeys((*bands, *recipe.weighed)))
    shape = strip.height, strip.width
    stack = np.empty((len(seen), len(wanted), *shape), looks.dtype)
    valid = np.empty((len(seen), *shape), np.bool_)

    def put(at: int) -> None:
        stack[at], valid[at] = looks.mosaic(seen[at][1], strip, wanted)

    remote = any(member.is_remote for _, members in seen for member in members)
    at_once(put, range(len(seen)), remote=remote)
    made = combine(stack, valid, recipe, wanted)
    chosen_looks = np.array([index for index, _ in seen] + [NONE], np.int32)
    # Of the stack's bands those that were asked for come first, each once.
    order = [wanted.index(band) for band in bands]
    return Composite(made.pixels[order], made.counts, chosen_looks[made.chosen])


def strips(window: Window, pixel_bytes: int) -> Iterator[Window]:
    """Cut a window into strips that hold few enough bytes, for as few cuts as it can.

    Edges lie on multiples of 512 pixels where strips can be as large as that.

    Args:
        window: What to cut.
        pixel_bytes: What a pixel takes of all looks.

    """
    most = max(STACK_BYTES // max(pixel_bytes, 1), 1)
    height, width = _side(most // window.width, window.height), window.width
    if most // window.width < min(_SIDE, window.height):
        # Strips of whole rows would be thin: squares instead.
        height = _side(int(most**0.5), window.height)
        width = _side(most // height, window.width)
    for rows in _cuts(window.rows, height):
        for cols in _cuts(window.cols, width):
            yield Window.between(rows, cols)


def _side(most: int, length: int) -> int:
    """Choose a side: all of it, or whole steps, or what there can be."""
    if most >= length:
        return length
    return most // _SIDE * _SIDE or max(most, 1)


def _cuts(axis: tuple[int, int], side: int) -> Iterator[tuple[int, int]]:
    start, stop = axis
    while start < stop:
        end = min(start - start % side + side, stop) if side >= _SIDE else start + side
        yield start, min(end, stop)
        start = min(end, stop)
