"""What an item and its files say together: bands, names, numbers, nodata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from geoseg.errors import SceneError, counted
from geoseg.scene.files.header import Header, shown
from geoseg.scene.files.usable import use
from geoseg.scene.items.item import AssetBand, Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoseg.options import SceneOptions
    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.files.raster import Raster

Headers: TypeAlias = "Mapping[tuple[str, str], Header | SceneError]"
"""Of files, by the document that refers to each, and the reference."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An item whose files were opened."""

    name: str
    """What people call it."""
    rasters: tuple[Raster, ...]
    """Its files."""
    positions: tuple[tuple[int, int], ...]
    """For each band of the scene, the file and the band in it, from 0."""
    notes: tuple[str, ...]
    """What was put right or taken for granted about it, a clause each."""

    @property
    def bands(self) -> tuple[BandHeader, ...]:
        """The scene's bands, as its files and its document have them."""
        return tuple(self.rasters[file].bands[band] for file, band in self.positions)


def of_raster(path: str) -> Item:
    """Take a raster for an item, to be put beside others."""
    return Item(shown(path), (AssetBand(href=path, name=""),), has_bands=False)


def _header(headers: Headers, item: Item, href: str) -> Header:
    found = headers[item.document, href]
    if isinstance(found, SceneError):
        raise found
    return found


def ask(
    item: Item,
    headers: Headers,
    options: SceneOptions,
) -> Item | SceneError:
    """Complete an item that does not say its bands by what its files say of them."""
    asset_bands: list[AssetBand] = []
    acquired = item.acquired
    try:
        for asset_band in item.asset_bands:
            raster = use(_header(headers, item, asset_band.href), options)
            acquired = acquired or raster.acquired
            count = len(raster.bands)
            for index, band in enumerate(raster.bands):
                name = band.name or (asset_band.name if count == 1 else "")
                asset_bands.append(_as_in_file(asset_band, band, name, (index, count)))
    except SceneError as error:
        return error
    return replace(
        item, asset_bands=tuple(asset_bands), acquired=acquired, has_bands=True
    )


def _as_in_file(
    asset_band: AssetBand, band: BandHeader, name: str, position: tuple[int, int]
) -> AssetBand:
    """Make an asset_band of a band of a file, with the numbers that it declares."""
    index, of = position
    if asset_band.scale is None and (band.scale, band.offset) != (1.0, 0.0):
        asset_band = replace(asset_band, scale=band.scale, offset=band.offset)
    nodata = band.nodata if asset_band.nodata is None else asset_band.nodata
    return replace(asset_band, name=name, index=index, of=of, nodata=nodata)


def open_item(
    item: Item,
    picked: Sequence[AssetBand],
    headers: Headers,
    options: SceneOptions,
) -> Opened:
    """Make rasters of the files that asset_bands are in.

    Raises:
        SceneError: One could not be opened, or has other bands than the item says.

    """
    files = list(dict.fromkeys(asset_band.href for asset_band in picked))
    rasters, assumed = [], False
    for href in files:
        of_file = [
            asset_band for asset_band in item.asset_bands if asset_band.href == href
        ]
        header = _header(headers, item, href)
        bands, guessed = _described(header, of_file, item)
        assumed |= guessed and options.radiometry == "auto"
        raster = use(replace(header, bands=bands), options)
        acquired = item.acquired or raster.acquired
        rasters.append(replace(raster, acquired=acquired, cloud=item.cloud))
    return Opened(
        item.name,
        tuple(rasters),
        tuple(
            (files.index(asset_band.href), asset_band.index) for asset_band in picked
        ),
        (*item.notes, *([item.assumption] if assumed else [])),
    )


def _described(
    header: Header, asset_bands: Sequence[AssetBand], item: Item
) -> tuple[tuple[BandHeader, ...], bool]:
    """Complete what a file says of its bands; return whether a scale was assumed."""
    measured = [index for index, b in enumerate(header.bands) if b.role != "alpha"]
    count = asset_bands[0].of
    if count is not None and count != len(measured):
        raise SceneError(
            f"{shown(header.path)} has {counted(len(measured), 'band')}, but "
            f"{item.name} describes {count} there; correct one of them"
        )
    bands, assumed = list(header.bands), False
    for asset_band in asset_bands:
        at = measured[asset_band.index]
        bands[at], guessed = _band(bands[at], asset_band)
        assumed |= guessed
    return tuple(bands), assumed


def _band(band: BandHeader, asset_band: AssetBand) -> tuple[BandHeader, bool]:
    """Complete a band: what an item says goes before what its file says."""
    scale = band.scale if asset_band.scale is None else asset_band.scale
    offset = band.offset if asset_band.offset is None else asset_band.offset
    is_silent = asset_band.offset is None and band.offset == 0
    assumed = asset_band.assumed if is_silent else None
    if assumed is not None:
        if asset_band.scale is None and band.scale == 1:
            scale = assumed[0]
        offset = assumed[1] / assumed[0] * scale
    nodata = band.nodata
    if asset_band.nodata is not None:
        nodata = asset_band.nodata if isfinite(asset_band.nodata) else None
    completed = replace(
        band,
        name=asset_band.name,
        common=asset_band.common,
        scale=scale,
        offset=offset,
        nodata=nodata,
    )
    return completed, assumed is not None and offset != 0
