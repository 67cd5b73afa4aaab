"""Which bands the files of a STAC item hold, as its metadata say.

STAC 1.1 describes them in ``bands``, 1.0 in ``eo:bands`` and ``raster:bands``; what
holds for all bands of an asset may stand beside these.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from geoseg.geo.band_names import red_edge
from geoseg.scene.files.paths import SUFFIXES
from geoseg.scene.items.item import AssetBand
from geoseg.scene.quality import is_quality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pystac

_ASIDE = frozenset(("thumbnail", "overview", "metadata", "graphic"))
"""Roles of files that hold no measurements."""
_PICTURES = frozenset(("image/png", "image/jpeg", "image/jpg", "image/webp"))
"""Types of files that are pictures of an item, unless their role is data."""
_JPEG2000 = ".jp2", ".j2k"
_SIZE = re.compile(r"[_-](\d+)m$", re.IGNORECASE)
"""How names of files and assets give a ground sample distance: ``B04_10m``."""
_FIELDS = {  # of a band or an asset, in the order of preference: what it gives
    "name": ("name",),
    "common": ("eo:common_name", "common_name"),
    "wavelength": ("eo:center_wavelength", "center_wavelength"),
    "scale": ("raster:scale", "scale"),
    "offset": ("raster:offset", "offset"),
    "nodata": ("nodata", "file:nodata"),
    "gsd": ("gsd", "raster:spatial_resolution", "spatial_resolution"),
}
_NOT_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""How STAC writes nodata that JSON has no number for."""


def data_assets(item: pystac.Item) -> dict[str, pystac.Asset]:
    """Choose the assets that are rasters of measurements, by their keys.

    Pictures for the eye (role ``visual``) are taken only where there is nothing else.
    """
    rasters = {key: each for key, each in item.assets.items() if _is_raster(each)}
    measured = {k: a for k, a in rasters.items() if "visual" not in _roles(a)}
    return measured or rasters


def declares_bands(asset: pystac.Asset) -> bool:
    """Whether an asset's metadata say what its bands are."""
    fields = asset.extra_fields
    return any(fields.get(name) for name in ("bands", "eo:bands", "raster:bands")) or (
        "eo:common_name" in fields
    )


def asset_bands_of(key: str, asset: pystac.Asset) -> Iterator[AssetBand]:
    """Give the bands of an asset.

    Args:
        key: What the item calls it.
        asset: Its metadata; where they say nothing of bands it is taken for one band.

    Raises:
        ValueError: The metadata are not what they should be.

    """
    declared = list(_declared_bands(key, asset))
    for index, band in enumerate(declared):
        name = str(band.get("name", ""))
        alone = len(declared) == 1
        if alone and (not name or is_quality(_short(key))):
            name = _short(key)
        common = red_edge(
            name, str(band.get("common", "")), _number(band, "wavelength")
        )
        scale = _number(band, "scale")
        if scale == 0:
            raise ValueError(f"its asset {key} has a scale of 0")
        yield AssetBand(
            href=asset.href,
            index=index,
            of=len(declared),
            name=name or common,
            common=common,
            gsd=_gsd(band, key, asset),
            scale=scale,
            offset=_number(band, "offset"),
            nodata=_nodata(band),
            preferred=not is_jpeg2000(asset),
        )


def is_jpeg2000(asset: pystac.Asset) -> bool:
    """Whether an asset is a JPEG 2000: a product's own file, where others are made."""
    return "jp2" in str(asset.media_type) or _suffix(asset) in _JPEG2000


def _is_raster(asset: pystac.Asset) -> bool:
    roles, kind = _roles(asset), str(asset.media_type or "").partition(";")[0].lower()
    if roles & _ASIDE:
        return False
    if kind in _PICTURES:
        return "data" in roles
    return kind.startswith("image/") or (not kind and _suffix(asset) in SUFFIXES)


def _roles(asset: pystac.Asset) -> set[str]:
    return {str(role).lower() for role in asset.roles or ()}


def _suffix(asset: pystac.Asset) -> str:
    return PurePosixPath(urlsplit(asset.href).path).suffix.lower()


def _declared_bands(key: str, asset: pystac.Asset) -> Iterator[dict[str, Any]]:
    """Put together what is said of each band, in whatever version of STAC."""
    fields = asset.extra_fields
    lists = [fields.get(name) or [] for name in ("bands", "eo:bands", "raster:bands")]
    counts = {len(each) for each in lists if each}
    if len(counts) > 1:
        raise ValueError(f"its asset {key} describes bands in lists of several lengths")
    whole = _known(fields)
    for index in range(counts.pop() if counts else 1):
        band = dict(whole)
        for each in reversed(lists):
            if each:
                band |= _known(each[index])
        yield band


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Take what is of use from the metadata of a band or an asset."""
    found = {
        ours: next(
            (fields[name] for name in names if fields.get(name) is not None), None
        )
        for ours, names in _FIELDS.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _number(band: Mapping[str, Any], name: str) -> float | None:
    value = band.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ValueError(f"its {name} is {value!r}, which is no finite number")
    return float(value)


def _nodata(band: Mapping[str, Any]) -> float | None:
    value = band.get("nodata")
    if isinstance(value, str) and value.lower() in _NOT_NUMBERS:
        return _NOT_NUMBERS[value.lower()]
    return _number(band, "nodata")


def _gsd(band: Mapping[str, Any], key: str, asset: pystac.Asset) -> float | None:
    """Find a band's ground sample distance in what is said, or in a name."""
    said = _number(band, "gsd")
    transform: Sequence[float] = asset.extra_fields.get("proj:transform") or ()
    if said is None and transform:
        said = abs(float(transform[0])) or None
    if said is None:
        stem = PurePosixPath(urlsplit(asset.href).path).stem
        found = _SIZE.search(key) or _SIZE.search(stem)
        said = float(found[1]) if found else None
    return said


def _short(key: str) -> str:
    """Leave the resolution out of an asset's key."""
    return _SIZE.sub("", key)
