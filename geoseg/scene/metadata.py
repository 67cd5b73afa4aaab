"""What a bundle and its files say together: bands, names, numbers, nodata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from geoseg.errors import SceneError
from geoseg.scene.files.header import Header, shown
from geoseg.scene.files.raster import Raster, use
from geoseg.scene.items.item import Bundle, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.options import SceneOptions

Headers: TypeAlias = "Mapping[tuple[str, str], Header | SceneError]"
"""Of files, by the document that refers to each, and the reference."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose files were opened."""

    name: str
    """What people call it."""
    rasters: tuple[Raster, ...]
    """Its files."""
    places: tuple[tuple[int, int], ...]
    """For each band of the scene, the file and the band in it, from 0."""
    notes: tuple[str, ...]
    """What was put right or taken for granted about it, a clause each."""

    @property
    def bands(self) -> tuple[BandHeader, ...]:
        """The scene's bands, as its files and its document have them."""
        return tuple(self.rasters[file].bands[band] for file, band in self.places)


def of_raster(place: str) -> Bundle:
    """Take a raster for a bundle, to be put beside others."""
    return Bundle(shown(place), (Offer(href=place, name=""),), is_told=False)


def _header(headers: Headers, bundle: Bundle, href: str) -> Header:
    found = headers[bundle.document, href]
    if isinstance(found, SceneError):
        raise found
    return found


def ask(
    bundle: Bundle,
    headers: Headers,
    options: SceneOptions,
) -> Bundle | SceneError:
    """Complete a bundle that does not tell its bands by what its files say of them."""
    offers: list[Offer] = []
    taken = bundle.taken
    try:
        for offer in bundle.offers:
            raster = use(_header(headers, bundle, offer.href), options)
            taken = taken or raster.taken
            count = len(raster.bands)
            for index, band in enumerate(raster.bands):
                name = band.name or (offer.name if count == 1 else "")
                offers.append(_as_in_file(offer, band, name, (index, count)))
    except SceneError as error:
        return error
    return replace(bundle, offers=tuple(offers), taken=taken, is_told=True)


def _as_in_file(
    offer: Offer, band: BandHeader, name: str, place: tuple[int, int]
) -> Offer:
    """Make an offer of a band of a file, with the numbers that it declares."""
    index, of = place
    if offer.scale is None and (band.scale, band.offset) != (1.0, 0.0):
        offer = replace(offer, scale=band.scale, offset=band.offset)
    nodata = band.nodata if offer.nodata is None else offer.nodata
    return replace(offer, name=name, index=index, of=of, nodata=nodata)


def open_bundle(
    bundle: Bundle,
    picked: Sequence[Offer],
    headers: Headers,
    options: SceneOptions,
) -> Opened:
    """Make rasters of the files that offers are in.

    Raises:
        SceneError: One could not be opened, or has other bands than the bundle says.

    """
    files = list(dict.fromkeys(offer.href for offer in picked))
    rasters, assumed = [], False
    for href in files:
        of_file = [offer for offer in bundle.offers if offer.href == href]
        header = _header(headers, bundle, href)
        bands, guessed = _described(header, of_file, bundle)
        assumed |= guessed and options.radiometry == "auto"
        raster = use(replace(header, bands=bands), options)
        rasters.append(replace(raster, taken=bundle.taken or raster.taken))
    return Opened(
        bundle.name,
        tuple(rasters),
        tuple((files.index(offer.href), offer.index) for offer in picked),
        (*bundle.notes, *([bundle.assumption] if assumed else [])),
    )


def _described(
    header: Header, offers: Sequence[Offer], bundle: Bundle
) -> tuple[tuple[BandHeader, ...], bool]:
    """Complete what a file says of its bands; tell whether a scale was assumed."""
    measured = [index for index, b in enumerate(header.bands) if b.role != "alpha"]
    count = offers[0].of
    if count is not None and count != len(measured):
        raise SceneError(
            f"{shown(header.place)} has {len(measured)} bands, but {bundle.name} "
            f"describes {count} there; correct one of them"
        )
    bands, assumed = list(header.bands), False
    for offer in offers:
        at = measured[offer.index]
        bands[at], guessed = _band(bands[at], offer)
        assumed |= guessed
    return tuple(bands), assumed


def _band(band: BandHeader, offer: Offer) -> tuple[BandHeader, bool]:
    """Complete a band: what a bundle says goes before what its file says."""
    scale = band.scale if offer.scale is None else offer.scale
    offset = band.offset if offer.offset is None else offer.offset
    is_silent = offer.offset is None and band.offset == 0
    assumed = offer.assumed if is_silent else None
    if assumed is not None:
        if offer.scale is None and band.scale == 1:
            scale = assumed[0]
        offset = assumed[1] / assumed[0] * scale
    nodata = band.nodata
    if offer.nodata is not None:
        nodata = offer.nodata if isfinite(offer.nodata) else None
    completed = replace(
        band,
        name=offer.name,
        common=offer.common,
        scale=scale,
        offset=offset,
        nodata=nodata,
    )
    return completed, assumed is not None and offset != 0
