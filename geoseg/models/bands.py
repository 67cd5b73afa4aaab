"""Which band of a scene is which band of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.sensors import common_names, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.models.card import Card, InputBand

_NEAR = {"nir": "nir08"}
"""What stands in for a band that a scene lacks: Landsat has the narrow near infrared
alone, and models of several sensors take it for the wide one."""


@dataclass(frozen=True, slots=True)
class BandMatch:
    """Where a model finds its bands in a scene."""

    indices: tuple[int, ...]
    """For each band of the model, in its order, the scene's band, counted from 0."""
    by_order: bool
    """Whether names decided nothing, since the scene has none: worth a warning."""
    notes: tuple[str, ...] = ()
    """What was assumed, a clause each: worth a warning."""


def match_bands(
    package: Card, names: tuple[str, ...], commons: tuple[str, ...] = ()
) -> BandMatch:
    """Find the model's bands among the scene's.

    A scene's band is known by the sensor's name or by the common name, whatever
    their case, and ``B2`` is ``B02``; Sentinel-2's and Landsat's own names tell their
    common names where the scene does not. Where the scene does, a band of the right
    name and another common name is another one: other sensors have a ``B2``, too. A
    scene none of whose bands has a name is taken to hold the model's
    bands in their order, if the count is the same. A band to which the model gives an
    index is that band, whatever it is called.

    Args:
        package: The model.
        names: The scene's band names; an empty string where a band has none.
        commons: The common names that the scene itself gives them; likewise.

    Raises:
        ModelError: A band that the model needs is missing or there twice, or a
            scene without names has another number of bands.

    """
    indexed = [band for band in package.bands if band.index is not None]
    if not any(names) and len(indexed) < len(package.bands):
        if len(names) != len(package.bands):
            raise ModelError(
                f"the model needs {len(package.bands)} bands ({_list(package.bands)}), "
                f"the scene has {len(names)} without names; give it those bands"
            )
        return BandMatch(tuple(range(len(names))), by_order=True)
    there = _Scene(names, commons)
    indices = tuple(there.find(band) for band in package.bands)
    missing = [
        band
        for band, index in zip(package.bands, indices, strict=True)
        if index is None
    ]
    if missing:
        raise ModelError(
            f"the model needs the bands {_list(package.bands)}; the scene has "
            f"{', '.join(name or '(unnamed)' for name in names)} and lacks, or has "
            f"twice, {_list(missing)}"
        )
    found = tuple(i for i in indices if i is not None)
    return BandMatch(found, by_order=False, notes=tuple(there.notes))


class _Scene:
    """The names of a scene's bands, and what was assumed about them."""

    def __init__(self, names: tuple[str, ...], commons: tuple[str, ...]) -> None:
        self.names = [plain(name) for name in names]
        self.said = [plain(name) for name in commons] or [""] * len(names)
        known, note = common_names(self.names)
        self.common = [a or b for a, b in zip(self.said, known, strict=True)]
        self._note = "" if all(self.said) else note
        self.notes: list[str] = []

    def find(self, band: InputBand) -> int | None:
        """Find a model's band, by its index, its name, or else its common name."""
        if band.index is not None:
            return band.index - 1 if band.index <= len(self.names) else None
        for name in (plain(band.name), plain(band.common_name)):
            if name and self.names.count(name) == 1:
                place = self.names.index(name)
                if _agree(self.said[place], plain(band.common_name)):
                    return place
        wanted = plain(band.common_name)
        if wanted and self.common.count(wanted) == 1:
            if self._note and self._note not in self.notes:
                self.notes.append(self._note)
            return self.common.index(wanted)
        return self._near(wanted)

    def _near(self, wanted: str) -> int | None:
        other = _NEAR.get(wanted, "")
        for names in (self.names, self.common):
            if other and names.count(other) == 1:
                place = names.index(other)
                self.notes.append(f"its {other} band is taken for {wanted}")
                return place
        return None


def _agree(one: str, other: str) -> bool:
    """Whether common names may be of one band: ``rededge`` and ``rededge071`` may."""
    return one.startswith(other) or other.startswith(one)


def _list(bands: Sequence[InputBand]) -> str:
    return ", ".join(
        f"{band.name} ({band.common_name})" if band.common_name else band.name
        for band in bands
    )
