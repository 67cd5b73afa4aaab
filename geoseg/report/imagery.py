"""What a picture of a scene shows: pixels at a picture's size, stretched to bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geoseg.geo.windows import Window
from geoseg.report.components import SHOWN, Components

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.report.report import Json

_STRETCH = 2, 98
"""The percentiles of a band that become black and white."""

_MOST_VALUES = 16_000_000
"""Values that are held of many bands."""

_MOST_ON_PAGE = 80_000_000
"""Values of many bands that are read for a page's picture of them."""

_COARSE = 512
"""Rows or columns of a picture that is looked at to choose how a scene is shown."""
_AT_ONCE = 6_000_000
"""Values that are read at a time of a picture that is finer than the screen."""


class Image(Protocol):
    """What is shown beside the map; `geoseg.scene.Scene` is one."""

    @property
    def geobox(self) -> GeoBox:
        """Its pixel plane."""

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Show bands of a window at so many rows and columns, ``(band, y, x)``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The values of each band that become black and white."""

    limits: tuple[tuple[float, float], ...]
    """The lowest and the highest, a pair a band."""

    @classmethod
    def of(cls, picture: np.ma.MaskedArray, unmapped: NDArray[np.bool_]) -> Stretch:
        """Find the stretch of a picture, shape (band, y, x).

        The mapped pixels decide, so that a cloud beside the area does not darken it.
        """
        limits = []
        for band in picture:
            mapped = np.ma.masked_where(unmapped, band).compressed()
            low, high = np.percentile(mapped, _STRETCH) if mapped.size else (0, 1)
            limits.append((float(low), float(high)))
        return cls(tuple(limits))

    def bytes_of(self, picture: np.ma.MaskedArray) -> NDArray[np.uint8]:
        """Spread each band over 0 to 255, shape (y, x, band); invalid is white."""
        hidden = np.ma.getmaskarray(picture)
        shown = np.empty((*picture.shape[1:], len(picture)), np.uint8)
        for index, (low, high) in enumerate(self.limits):
            grey = (picture.data[index] - low).astype(np.float32)
            grey *= 255 / max(high - low, 1e-12)
            grey[hidden[index]] = 255
            shown[..., index] = np.clip(grey, 0, 255, out=grey).round(out=grey)
        return shown


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene as it is shown: which of its bands, and how they are stretched."""

    scene: Image
    """The image."""
    bands: tuple[int, ...]
    """Which of its bands, counted from 0, are shown red, green and blue; of more than
    three their principal components are."""
    stretch: Stretch
    """What becomes black and white."""
    components: Components | None = None
    """What is shown of many bands; None where there are three."""

    @classmethod
    def fitted(
        cls,
        scene: Image,
        bands: tuple[int, ...],
        plane: GeoBox,
        unmapped: NDArray[np.bool_],
    ) -> tuple[Shown, NDArray[np.uint8]]:
        """Find how a scene is shown best, by a picture of all of a plane.

        Of many bands a smaller picture is read, which memory holds, and enlarged.

        Args:
            scene: The image.
            bands: Which of its bands.
            plane: A part of its plane.
            unmapped: Where the picture has no class, shape ``(y, x)``.

        Returns:
            How it is shown; and that picture, shape ``(y, x, rgb)``.

        """
        shape, components = unmapped.shape, None
        whole, small = Window(0, 0, plane.height, plane.width), _held(bands, shape)
        picture = shown_of(scene, bands, plane, whole, small)
        if len(bands) > SHOWN:
            components = Components.of(picture)
            picture = components.project(picture)
        picture = _enlarged(picture, shape)
        stretch = Stretch.of(picture, unmapped)
        return cls(scene, bands, stretch, components), stretch.bytes_of(picture)

    def to_json(self) -> dict[str, Json]:
        """Give what `from_json` needs, beside the scene."""
        return {
            "bands": list(self.bands),
            "limits": [list(each) for each in self.stretch.limits],
        }

    @classmethod
    def from_json(cls, scene: Image, found: Mapping[str, Any]) -> Shown:
        """Show a scene as it was; of many bands, whose components are not kept, anew.

        Raises:
            KeyError, TypeError, ValueError: It is not what `to_json` gave.

        """
        bands = tuple(int(each) for each in found["bands"])
        if len(bands) > SHOWN:
            plane = scene.geobox
            by = max(plane.height, plane.width) / _COARSE
            coarse = [max(1, round(n / by)) for n in (plane.height, plane.width)]
            return cls.fitted(scene, bands, plane, np.zeros(coarse, np.bool_))[0]
        limits = tuple((float(low), float(high)) for low, high in found["limits"])
        return cls(scene, bands, Stretch(limits))

    @property
    def most_pixels(self) -> float:
        """How large a picture is worth its reading: of many bands a smaller one."""
        is_of_many = self.components is not None
        return _MOST_ON_PAGE / len(self.bands) if is_of_many else math.inf

    def rows_at_once(self, width: int) -> int:
        """Say how many rows of a picture of a width memory holds."""
        return max(1, _AT_ONCE // (len(self.bands) * width))

    def read(
        self, plane: GeoBox, window: Window, shape: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Show a window of a plane on the scene's pixels, shape (y, x, rgb)."""
        picture = shown_of(self.scene, self.bands, plane, window, shape)
        if self.components is not None:
            picture = self.components.project(picture)
        return self.stretch.bytes_of(picture)


def _held(bands: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """Give the rows and columns of a picture of many bands that memory holds."""
    if len(bands) <= SHOWN:
        return shape[0], shape[1]
    by = max(math.sqrt(len(bands) * shape[0] * shape[1] / _MOST_VALUES), 1)
    return max(round(shape[0] / by), 1), max(round(shape[1] / by), 1)


def _enlarged(picture: np.ma.MaskedArray, shape: tuple[int, ...]) -> np.ma.MaskedArray:
    """Repeat rows and columns of a picture, shape (band, y, x), as often as needed."""
    if picture.shape[1:] == shape:
        return picture
    rows, cols = (
        np.arange(wanted) * have // wanted
        for wanted, have in zip(shape, picture.shape[1:], strict=True)
    )
    enlarged: np.ma.MaskedArray = picture[:, rows[:, np.newaxis], cols]
    return enlarged


def shown_of(
    scene: Image,
    bands: tuple[int, ...],
    plane: GeoBox,
    window: Window,
    shape: tuple[int, int],
) -> np.ma.MaskedArray:
    """Show a window of a plane on a scene's pixels, ``(band, *shape)``.

    Args:
        scene: The image.
        bands: Which of its bands, counted from 0.
        plane: A part of its plane.
        window: What of that part, in its pixels.
        shape: Rows and columns of the picture.

    Returns:
        Averages of pixels; invalid ones are masked.

    """
    col, row = (~scene.geobox.transform @ plane.transform) @ (0, 0)
    there = Window(
        round(row) + window.row, round(col) + window.col, window.height, window.width
    )
    return scene.picture(there, bands, shape)
