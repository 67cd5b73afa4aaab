"""A member: what covers one piece of ground once, as a member of a scene.

Most members are one file. A member whose bands come in files of their own has one
*layer* for each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geoseg.geo.windows import Window
from geoseg.scene.files.datasets import at_once, is_remote
from geoseg.scene.warp.common_grid import offset_on
from geoseg.scene.warp.coordinates import middle
from geoseg.scene.warp.warped import (
    Warp,
    covered,
    make_warp,
    read_warped,
    warped_picture,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.files.raster import Raster

Read = tuple["NDArray[np.generic]", "NDArray[np.bool_]"]
"""Pixels ``(band, y, x)`` and where each band has data, of the same shape, or
``(1, y, x)`` where all bands have data in the same pixels."""


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A file, laid on a scene's pixels."""

    raster: Raster
    """The file."""
    window: Window
    """The scene's pixels that it covers; a few more where it is warped."""
    warp: Warp | None = None
    """How it is read where its pixels are not the scene's; None where they are."""

    def read(
        self,
        window: Window,
        bands: Sequence[int],
        out: NDArray[np.generic] | None = None,
    ) -> Read:
        """Read a window of the scene that lies inside the layer."""
        if self.warp is not None:
            return read_warped(self.raster, self.warp, window, bands)
        stored = {self.raster.bands[band].dtype for band in bands}
        fits = out is not None and stored == {str(out.dtype)}
        inside = window.relative_to(self.window)
        return self.raster.read(inside, bands, out if fits else None)

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window of the scene that lies inside the layer."""
        if self.warp is not None:
            return warped_picture(self.raster, self.warp, window, bands, shape)
        return self.raster.picture(window.relative_to(self.window), bands, shape)


class Cover(Protocol):
    """What hides the ground: clouds, say, that somebody else found."""

    def clear(self, window: Window) -> NDArray[np.bool_]:
        """Say where a window of the scene is clear, shape ``(y, x)``."""


def lay(raster: Raster, grid: GeoBox, method: str) -> FileLayer | None:
    """Lay a file on a grid; None where it is nowhere on it.

    Args:
        raster: The file.
        grid: A scene's.
        method: How pixels are found where they are not the grid's: ``nearest``,
            ``bilinear`` or ``cubic``.

    """
    plane = raster.geobox
    whole = Window(0, 0, grid.height, grid.width)
    offset = offset_on(plane, grid)
    if offset is None:
        window = covered(plane, grid, middle(grid))
        inside = None if window is None else window.intersection(whole)
        if inside is None:
            return None
        return FileLayer(raster, inside, make_warp(plane, grid, method))
    window = Window(*offset, plane.height, plane.width)
    return FileLayer(raster, window) if window.intersection(whole) else None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a scene."""

    layers: tuple[FileLayer, ...]
    """Its files."""
    bands: tuple[tuple[int, int], ...]
    """For each band of the scene, the layer and the band in it, both from 0."""
    window: Window
    """The scene's pixels that all of its layers cover."""
    cover: Cover | None = None
    """What hides its ground, beside what its own files say; None where nothing does."""

    @property
    def name(self) -> str:
        """What people call it: its first file."""
        return self.layers[0].raster.name

    @property
    def is_remote(self) -> bool:
        """Whether it is read through a network."""
        return any(is_remote(layer.raster.path) for layer in self.layers)

    def band(self, index: int) -> BandHeader:
        """What the file says of one of the scene's bands."""
        layer, band = self.bands[index]
        return self.layers[layer].raster.bands[band]

    def as_stored(self) -> Member:
        """Give the same member with numbers that stand for features as they are."""
        layers = (
            replace(each, raster=replace(each.raster, gives_stored=True))
            for each in self.layers
        )
        return replace(self, layers=tuple(layers))

    def meaning(self) -> tuple[tuple[object, ...], ...]:
        """What is known of each band beside its pixels: all that may change them."""
        bands = [self.band(index) for index in range(len(self.bands))]
        values = [(b.name, b.nodata, b.masked, b.scale, b.offset) for b in bands]
        return tuple(
            (*source, *of) for source, of in zip(self.bands, values, strict=True)
        )

    def read(
        self,
        window: Window,
        bands: Sequence[int],
        dtype: str,
        out: NDArray[np.generic] | None = None,
    ) -> Read:
        """Read a window of the scene that lies inside the member.

        Args:
            window: In pixels of the scene.
            bands: Which of the scene's bands, counted from 0.
            dtype: The scene's.
            out: Where to put the pixels, if they can be read there at once.

        Raises:
            SceneError: A file cannot be read there.

        """
        sources = [self.bands[band] for band in bands]
        used = sorted({layer for layer, _ in sources})
        if len(used) == 1:
            wanted = [band for _, band in sources]
            read = self.layers[used[0]].read(window, wanted, out)
            return read[0].astype(dtype, copy=False), read[1]
        shape = (len(bands), window.height, window.width)
        pixels, data = np.empty(shape, dtype), np.empty(shape, np.bool_)

        def put(layer: int) -> None:
            at = [i for i, source in enumerate(sources) if source[0] == layer]
            wanted = [sources[i][1] for i in at]
            pixels[at], data[at] = self.layers[layer].read(window, wanted)

        at_once(put, used, remote=self.is_remote)
        return pixels, data

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window of the scene that lies inside the member.

        Returns:
            Averages, shape ``(band, *shape)``, masked where there is no data.

        """
        whole = blank_picture(len(bands), shape)
        sources = [self.bands[band] for band in bands]
        for layer in sorted({layer for layer, _ in sources}):
            at = [i for i, source in enumerate(sources) if source[0] == layer]
            wanted = [sources[i][1] for i in at]
            whole[at] = self.layers[layer].picture(window, wanted, shape)
        return whole


def waves(members: Sequence[Member], window: Window) -> list[list[Member]]:
    """Sort members into groups that can be read at once, one group after the other.

    Those of a group share no pixel of the window, and a member comes after all that are
    before it and share one with it.
    """
    parts = [member.window.intersection(window) for member in members]
    order: list[int] = []
    for part in parts:
        below = zip(parts, order, strict=False)
        after = [n for other, n in below if part and other and other.intersection(part)]
        order.append(max(after, default=-1) + 1)
    groups: list[list[Member]] = [[] for _ in range(max(order, default=-1) + 1)]
    for member, n in zip(members, order, strict=True):
        groups[n].append(member)
    return groups


def blank_picture(bands: int, shape: tuple[int, int]) -> np.ma.MaskedArray:
    """Make a picture (band, y, x) on which nothing is shown yet."""
    empty = np.zeros((bands, *shape), np.float32)
    return np.ma.MaskedArray(empty, mask=np.ones(empty.shape, np.bool_))
