"""What one model's map does to another's: clouds and shadows out of land cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError
from geoseg.geo.legend import NODATA, UNKNOWN, LandClass, Legend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Masking:
    """Which classes of a mask become what in a map."""

    values: tuple[tuple[int, int], ...]
    """Pairs of a class of the mask and what a map's pixels become there: a class of
    the map, or nodata."""
    legend: Legend
    """The classes of the map with those that the mask adds."""
    keep: bool
    """Whether masked pixels have a class, and not nodata."""

    def covers(
        self, mask: NDArray[np.uint8], found: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        """Return where a mask counts: in its classes, where the map has a value.

        Args:
            mask: The mask's classes, shape (y, x).
            found: What the map has, shape (band, y, x); nodata in all bands alike.

        """
        classes = [seen for seen, _ in self.values]
        masked: NDArray[np.bool_] = np.isin(mask, classes) & (found[0] != NODATA)
        return masked

    def classes(
        self, mask: NDArray[np.uint8], found: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Put what the mask says into classes, shape (1, y, x)."""
        table = np.full(NODATA + 1, NODATA, np.uint8)
        for seen, becomes in self.values:
            table[seen] = becomes
        return np.where(self.covers(mask, found), table[mask], found)

    def measures(
        self,
        mask: NDArray[np.uint8],
        found: NDArray[np.uint8],
        instead: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Put nodata, or the mask's own measure, into a measure of a map.

        Args:
            mask: The mask's classes, shape (y, x).
            found: The measure, shape (band, y, x).
            instead: The same measure of the mask, shape (y, x); nodata where None.

        """
        other = np.uint8(NODATA) if instead is None else instead
        return np.where(self.covers(mask, found), other, found)


def plan_masking(
    names: Sequence[str], mask: Legend, legend: Legend, *, keep: bool
) -> Masking:
    """Say what a mask's classes become in a map.

    Args:
        names: The classes of the mask that count.
        mask: The classes of the mask.
        legend: The classes of the map.
        keep: Give masked pixels classes: the map's own of the same name, or else new
            ones with ids that the map does not have.

    Raises:
        InputError: The mask has no such class, or no class is named.

    """
    if not names:
        raise InputError("no class of the mask is named; give `mask_classes`")
    wanted = [mask.by_name(name) for name in names]
    if not keep:
        return Masking(tuple((each.id, NODATA) for each in wanted), legend, keep=False)
    taken = {*legend.ids, UNKNOWN}
    free = (value for value in range(UNKNOWN) if value not in taken)
    known = {each.name: each for each in legend}
    added: list[LandClass] = []
    values = []
    for each in wanted:
        if each.name not in known:
            known[each.name] = LandClass(next(free), each.name, each.colour)
            added.append(known[each.name])
        values.append((each.id, known[each.name].id))
    classes = sorted((*legend, *added), key=lambda one: one.id)
    return Masking(tuple(values), Legend(tuple(classes)), keep=True)
