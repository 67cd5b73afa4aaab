"""Which values a class raster holds, and the id of each.

Ids of classes are 0 to 254. A raster whose values are all of these keeps them; of one
with others, such as CORINE's 111 to 523, the values are numbered 0, 1, 2 ... as they
rise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SHORT = 2
"""Bytes of a whole number up to which a table of all values is small."""
_EXACT = 1 << 53
"""Up to here a float64 holds every whole number."""
_FILLS = frozenset(
    (255, 65_535, 4_294_967_295, -1, -128, -999, -9_999, -32_768, -2_147_483_648)
)
"""Values that often mean "no data" where no one declared them so."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a class raster."""

    found: tuple[int, ...]
    """The values that mean a class, rising."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The id of each, rising as well."""
        if all(0 <= value < NODATA for value in self.found):
            return self.found
        return tuple(range(len(self.found)))

    @property
    def fills(self) -> tuple[int, ...]:
        """Those that look as if they were meant as no data."""
        return tuple(value for value in self.found if value in _FILLS)

    def to_ids(
        self, name: str, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """Give each pixel the id of its value, 255 where it is not valid.

        Raises:
            SceneError: A valid pixel has another value than those that were found.

        """
        ids = self._look_up(pixels)
        strange = (ids < 0) & valid
        if strange.any():
            raise SceneError(
                f"{name} holds {pixels[strange][0]}, which it did not hold when its "
                f"values were listed; leave it alone while it is read"
            )
        return np.where(valid, ids, NODATA).astype(np.uint8)

    def _look_up(self, pixels: NDArray[np.generic]) -> NDArray[np.int16]:
        """Find ids, -1 for unknown values."""
        values, ids = np.array(self.found, pixels.dtype), np.array(self.ids, np.int16)
        if not len(values):
            return np.full(pixels.shape, -1, np.int16)
        if _is_short(pixels):
            table = np.full(1 << (8 * pixels.itemsize), -1, np.int16)
            table[_unsigned(values)] = ids
            short: NDArray[np.int16] = table[_unsigned(pixels)]
            return short
        position = np.searchsorted(values, pixels).clip(max=len(values) - 1)
        found: NDArray[np.int16] = np.where(
            values[position] == pixels, ids[position], -1
        )
        return found


def list_values(
    name: str, parts: Iterable[tuple[NDArray[np.generic], NDArray[np.bool_]]]
) -> Values:
    """List the values of valid pixels, part by part.

    Args:
        name: The raster, for messages.
        parts: Pixels and where they are valid, of one shape each.

    Raises:
        SceneError: They are no classes: too many, or no whole numbers.

    """
    found: set[int] = set()
    for pixels, valid in parts:
        found |= _values_of(name, pixels, valid)
        if len(found) > NODATA:
            raise SceneError(
                f"{name} holds more than {NODATA} different values, and a class raster "
                f"at most so many; merge classes first, or give a raster of classes"
            )
    return Values(tuple(sorted(found)))


def _values_of(
    name: str, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
) -> set[int]:
    if _is_short(pixels):
        seen = np.bincount(_unsigned(pixels)[valid])
        return set(
            np.flatnonzero(seen)
            .astype(f"u{pixels.itemsize}")
            .view(pixels.dtype)
            .tolist()
        )
    values = np.unique(pixels[valid])
    if np.issubdtype(values.dtype, np.floating):
        _check_whole(name, values)
    return set(map(int, values.tolist()))


def _check_whole(name: str, values: NDArray[np.generic]) -> None:
    """Refuse numbers with a fraction, and those too large to be a class."""
    numbers = values.astype(np.float64)
    broken = numbers[numbers != np.round(numbers)]
    if broken.size:
        raise SceneError(
            f"{name} holds {values.dtype} with fractions such as {broken[0]:g}, not "
            f"whole numbers; a class raster is needed"
        )
    vast = numbers[np.abs(numbers) > _EXACT]
    if vast.size:
        raise SceneError(
            f"{name} holds {vast[0]:g}, which is no class and not declared as nodata; "
            f"declare it: gdal_edit.py -a_nodata {float(vast[0])!r} {name}"
        )


def _is_short(pixels: NDArray[np.generic]) -> bool:
    return pixels.dtype.kind in "iu" and pixels.itemsize <= _SHORT


def _unsigned(pixels: NDArray[np.generic]) -> NDArray[np.unsignedinteger]:
    """Take the same bits as a number from 0 on."""
    bits: NDArray[np.unsignedinteger] = np.ascontiguousarray(pixels).view(
        f"u{pixels.itemsize}"
    )
    return bits
