"""Which band of a scene is which band of a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from geoseg.models.package import InputBand, ModelPackage

_SENTINEL2 = re.compile(r"b0*(\d+)(a?)")


@dataclass(frozen=True, slots=True)
class BandMatch:
    """Where a model finds its bands in a scene."""

    indices: tuple[int, ...]
    """For each band of the model, in its order, the scene's band, counted from 0."""
    by_order: bool
    """Whether names decided nothing, since the scene has none: worth a warning."""


def match_bands(package: ModelPackage, names: tuple[str, ...]) -> BandMatch:
    """Find the model's bands among the scene's.

    A scene's band is known by the sensor's name or by the common name, whatever
    their case, and ``B2`` is ``B02``. A scene none of whose bands has a name is
    taken to hold the model's bands in their order, if the count is the same.

    Args:
        package: The model.
        names: The scene's band names; an empty string where a band has none.

    Raises:
        ModelError: A band that the model needs is missing or there twice, or a
            scene without names has another number of bands.

    """
    if not any(names):
        if len(names) != len(package.bands):
            raise ModelError(
                f"the model needs {len(package.bands)} bands ({_list(package.bands)}), "
                f"the scene has {len(names)} without names; give it those bands"
            )
        return BandMatch(tuple(range(len(names))), by_order=True)
    there = [_plain(name) for name in names]
    indices = tuple(_find(band, there) for band in package.bands)
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
    return BandMatch(tuple(i for i in indices if i is not None), by_order=False)


def _find(band: InputBand, there: list[str]) -> int | None:
    """The one band of the scene that has the band's name, or else its common name."""
    for name in (_plain(band.name), _plain(band.common_name)):
        if there.count(name) == 1:
            return there.index(name)
    return None


def _plain(name: str) -> str:
    """Lower case without surrounding blanks; ``B02`` as ``b2``."""
    name = name.strip().lower()
    if sentinel2 := _SENTINEL2.fullmatch(name):
        return f"b{sentinel2[1]}{sentinel2[2]}"
    return name


def _list(bands: list[InputBand] | tuple[InputBand, ...]) -> str:
    return ", ".join(f"{band.name} ({band.common_name})" for band in bands)
