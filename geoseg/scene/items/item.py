"""An item: what covers a piece of ground once, its bands in several files.

A STAC item is one, and so is a Sentinel-2 product. It names its bands and where they
are before a file is opened, so that only those are that a model needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from geoseg.errors import SceneError
from geoseg.geo.band_names import find_red_and_nir, plain
from geoseg.scene.quality import is_quality

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Needs: TypeAlias = "Callable[[tuple[str, ...], tuple[str, ...]], Sequence[int]]"
"""What is needed of bands, by number, given their names and common names."""

_SAME_SIZE = 0.02
"""By what share ground sample distances of one resolution may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBand:
    """A band that an item has, in one file; what is None is as the file says."""

    href: str
    """The file, as the item's document refers to it."""
    index: int = 0
    """Which band of the file, counted from 0, alpha bands left out."""
    of: int | None = None
    """How many bands the file has, without alpha bands."""
    name: str
    """The band's name; an empty string where it has none."""
    common: str = ""
    """The name that other sensors share; an empty string where it is not known."""
    gsd: float | None = None
    """Its ground sample distance in metres; None where that is not known."""
    scale: float | None = None
    """A physical value is the pixel times this, plus the offset."""
    offset: float | None = None
    """See there."""
    assumed: tuple[float, float] | None = None
    """Scale and offset where neither the item nor the file says any."""
    nodata: float | None = None
    """The value that means "no data"."""
    preferred: bool = True
    """Whether it goes before another one of the same name and size that is not."""


@dataclass(frozen=True, slots=True)
class Label:
    """How a band is known."""

    name: str
    """Its name; an empty string where it has none."""
    common: str
    """The name that other sensors share, where it is known."""

    def is_same(self, other: Label) -> bool:
        """Whether another item's label is of the same band."""
        if self.common and other.common:
            return self.common == other.common
        return plain(self.name) == plain(other.name)


@dataclass(frozen=True, slots=True)
class Item:
    """What covers a piece of ground once, its bands in one file or several."""

    name: str
    """What people call it."""
    asset_bands: tuple[AssetBand, ...]
    """Its bands; one may be there several times, in several resolutions."""
    document: str = ""
    """What refers to its files, in GDAL's words; empty where they are named as GDAL
    does already."""
    acquired: str = ""
    """When the picture was acquired, ``2023:01:31 10:15:00``; empty where not known."""
    cloud: float | None = None
    """How much of the picture is cloudy, in percent; None where that is not known."""
    has_bands: bool = True
    """Whether its bands are known; else its files have to be asked, and there is one
    asset band for each file."""
    assumption: str = ""
    """What is said where scale and offset are those that asset bands assume."""
    notes: tuple[str, ...] = ()
    """What was put right about it, a clause each."""

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, as its document refers to them, each once."""
        return tuple(dict.fromkeys(asset_band.href for asset_band in self.asset_bands))

    @property
    def labels(self) -> tuple[Label, ...]:
        """Its bands, each once, however many resolutions there are."""
        known: dict[str, Label] = {}
        for index, asset_band in enumerate(self.asset_bands):
            label = Label(asset_band.name, asset_band.common)
            known.setdefault(plain(asset_band.name) or f"#{index}", label)
        return tuple(known.values())

    def needed(
        self, needs: Needs | None, masks: Sequence[str], *, index: bool = False
    ) -> tuple[Label, ...]:
        """Choose bands: those that are needed, and those that masks name.

        A file that has to be opened gives all it has, so that an item of one file is
        acquired whole.

        Args:
            needs: What chooses; None for all there are.
            masks: As in `geoseg.scene.SceneOptions.mask`.
            index: Whether a vegetation index chooses among dates, and its bands are
                needed as well.

        """
        labels = self.labels
        if needs is None or len(self.files) == 1:
            return labels
        names = tuple(label.name for label in labels)
        commons = tuple(label.common for label in labels)
        chosen = set(needs(names, commons))
        if index:
            chosen.update(find_red_and_nir(names, commons) or ())
        asked = {mask.partition(":")[0].strip().lower() for mask in masks}
        chosen |= {i for i, name in enumerate(names) if name.lower() in asked}
        return tuple(labels[index] for index in sorted(chosen))

    def pick(self, wanted: Sequence[Label], *, finest: bool) -> tuple[AssetBand, ...]:
        """Find an asset_band for each band.

        Of bands that are there in several resolutions, the finest is taken at which
        all measured ones are, where there is one; or the finest of each.

        Args:
            wanted: The bands, as another item may call them.
            finest: Whether to take the finest of each anyway: a grid was chosen.

        Raises:
            SceneError: A band is not there; the message says which are.

        """
        found = [self._asset_bands_of(at, label) for at, label in enumerate(wanted)]
        missing = [
            w for w, asset_bands in zip(wanted, found, strict=True) if not asset_bands
        ]
        if missing:
            raise SceneError(
                f"{self.name} has no band {_listed(missing)}, which the scene needs; "
                f"it has {_listed(self.labels)}"
            )
        size = None if finest else _common_size(found)
        return tuple(
            min(asset_bands, key=lambda o: _rank(o, size)) for asset_bands in found
        )

    def _asset_bands_of(self, at: int, wanted: Label) -> list[AssetBand]:
        """All resolutions of a band; one without a name is known by its position."""
        if not wanted.name:
            return [
                asset_band
                for asset_band in self.asset_bands[at : at + 1]
                if not asset_band.name
            ]
        same = {plain(each.name) for each in self.labels if each.is_same(wanted)}
        if len(same) > 1:
            same &= {plain(wanted.name)}
        return [
            asset_band
            for asset_band in self.asset_bands
            if plain(asset_band.name) in same
        ]


def _rank(asset_band: AssetBand, size: float | None) -> tuple[object, ...]:
    gsd = asset_band.gsd if asset_band.gsd is not None else float("inf")
    fits = size is None or _is_size(asset_band, size)
    return not fits, gsd, asset_band.of or 1, not asset_band.preferred


def _common_size(found: Sequence[Sequence[AssetBand]]) -> float | None:
    """The finest size at which all measured bands are there; None where none is."""
    measured = [o for o in found if not is_quality(o[0].name)]
    sizes = sorted({o.gsd for o in (measured or [()])[0] if o.gsd is not None})
    for size in sizes:
        if all(
            any(_is_size(asset_band, size) for asset_band in each) for each in measured
        ):
            return size
    return None


def _is_size(asset_band: AssetBand, size: float) -> bool:
    return (
        asset_band.gsd is not None and abs(asset_band.gsd - size) <= size * _SAME_SIZE
    )


def _listed(labels: Sequence[Label]) -> str:
    return ", ".join(
        (label.name or "(unnamed)")
        if label.common in {"", label.name}
        else f"{label.name} ({label.common})"
        for label in labels
    )
