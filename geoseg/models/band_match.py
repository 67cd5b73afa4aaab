"""Which band of a scene is which band of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.geo.band_names import colour_of, common_names, plain
from geoseg.geo.embeddings import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.models.package.card import Card, InputBand

_NEAR = {"nir": "nir08"}
"""What stands in for a band that a scene lacks: Landsat has the narrow near infrared
alone, and models of several sensors take it for the wide one."""
_ELSE = (
    ", choose another model (geoseg models list), or train one: geoseg train SCENE "
    "`labels=LABELS` -o my_model/"
)
"""What else to do where a scene lacks a model's bands."""


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
    package: Card,
    names: tuple[str, ...],
    commons: tuple[str, ...] = (),
    *,
    alpha: int | None = None,
) -> BandMatch:
    """Find the model's bands among the scene's.

    A scene's band is known by the sensor's name or by the common name, whatever
    their case, and ``B2`` is ``B02``; Sentinel-2's and Landsat's own names say their
    common names where the scene does not. Where the scene does, a band of the right
    name and another common name is another one: other sensors have a ``B2``, too. A
    scene none of whose bands has a name is taken to hold the model's
    bands in their order, if the count is the same and no common name contradicts it;
    else its common names decide. A band to which the model gives an index is that
    band, whatever it is called, unless that is another one's common name.

    Args:
        package: The model.
        names: The scene's band names; an empty string where a band has none.
        commons: The common names that the scene itself gives them; likewise.
        alpha: The number of a band that only hides pixels, for messages.

    Raises:
        ModelError: A band that the model needs is missing or there twice, a scene
            without names has another number of bands, or what is known of them
            contradicts the model's order or indices.

    """
    there = _Scene(names, commons)
    indices = tuple(there.find(band) for band in package.bands)
    indexed = [band for band in package.bands if band.index is not None]
    if not any(names) and len(indexed) < len(package.bands):
        return _unnamed(package, there, indices, alpha)
    missing = [
        band
        for band, index in zip(package.bands, indices, strict=True)
        if index is None
    ]
    if missing:
        raise ModelError(
            f"the model needs the bands {_list(package.bands)}; the scene has "
            f"{listed([name or '(unnamed)' for name in names])} and lacks, or has "
            f"twice, {_list(missing)}{_marked(alpha, len(names))}; give it those "
            f"bands{_ELSE}"
        )
    found = tuple(i for i in indices if i is not None)
    there.check(package.bands, found, "by its number")
    return BandMatch(found, by_order=False, notes=tuple(there.notes))


def _unnamed(
    package: Card,
    there: _Scene,
    indices: tuple[int | None, ...],
    alpha: int | None,
) -> BandMatch:
    """Match a scene without names: by common names it may have, or else by order."""
    order = tuple(range(len(there.names)))
    is_whole = len(order) == len(package.bands)
    found = tuple(index for index in indices if index is not None)
    if len(found) == len(package.bands) and not (is_whole and found == order):
        note = "its bands have no names; those of their colours were taken"
        return BandMatch(found, by_order=False, notes=(note, *there.notes))
    if not is_whole:
        some = ",".join(map(str, range(1, len(package.bands) + 1)))
        advice = (
            f"choose them by number, in that order, such as `numbers={some}`"
            if len(order) > len(package.bands)
            else "give it those bands"
        )
        raise ModelError(
            f"the model needs {len(package.bands)} bands ({_list(package.bands)}), "
            f"the scene has {len(order)} without names{_marked(alpha, len(order))}; "
            f"{advice}{_ELSE}"
        )
    there.check(package.bands, order, "in its order, since the scene names none,")
    return BandMatch(order, by_order=True)


def _marked(alpha: int | None, bands: int) -> str:
    """Describe a band that a scene's file marks as alpha, and how to read it."""
    if alpha is None:
        return ""
    numbers = ",".join(map(str, range(1, max(bands + 1, alpha) + 1)))
    return (
        f" (band {alpha} of its file is marked as alpha and only hides pixels; "
        f"`numbers={numbers}` reads it as a measurement)"
    )


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
        wanted = _common(band)
        for name in (plain(band.name), wanted):
            if name and self.names.count(name) == 1:
                index = self.names.index(name)
                if _agree(self.said[index], wanted):
                    return index
        if wanted and self.common.count(wanted) == 1:
            if self._note and self._note not in self.notes:
                self.notes.append(self._note)
            return self.common.index(wanted)
        return self._near(wanted)

    def check(
        self, bands: Sequence[InputBand], indices: Sequence[int], how: str
    ) -> None:
        """Refuse to take for a band what is said to be another one."""
        for band, index in zip(bands, indices, strict=True):
            said = self.said[index] or colour_of(self.names[index])
            wanted = _common(band)
            if said and wanted and not _agree(said, wanted):
                raise ModelError(
                    f"the model takes band {index + 1} {how} for {wanted}, and the "
                    f"scene says that it is {said}; say which bands it has with "
                    f"`bands={wanted}=FILE:NUMBER`, one for each"
                )

    def _near(self, wanted: str) -> int | None:
        other = _NEAR.get(wanted, "")
        for names in (self.names, self.common):
            if other and names.count(other) == 1:
                index = names.index(other)
                self.notes.append(f"its {other} band is taken for {wanted}")
                return index
        return None


def _common(band: InputBand) -> str:
    """Give the common name of a model's band, which its own name may be."""
    return plain(band.common_name) or colour_of(band.name)


def _agree(one: str, other: str) -> bool:
    """Whether common names may be of one band: ``rededge`` and ``rededge071`` may."""
    return one.startswith(other) or other.startswith(one)


def _list(bands: Sequence[InputBand]) -> str:
    return listed(
        [
            f"{band.name} ({band.common_name})" if band.common_name else band.name
            for band in bands
        ]
    )
