"""What Sentinel-2's processing did to numbers, as far as STAC items say.

Since processing baseline 04.00 of January 2022 reflectance is (number - 1000) / 10000,
before it was number / 10000: https://sentiwiki.copernicus.eu/web/s2-products. Some
catalogues took the 1000 off when they made their files, and say so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geoseg.geo.band_names import SENTINEL2, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from geoseg.scene.items.item import AssetBand, Item

_SCALE = 1e-4
_OFFSET = -0.1
"""Of products whose baseline is 04.00 or later."""
_SINCE = 4.0
"""That baseline."""
_BASELINES = ("s2:processing_baseline", "sentinel:processing_baseline")
_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
"""Properties of items whose files had the offset taken off, but for the product's own
JPEG 2000 files."""
_PRODUCTS = re.compile(r"S2[A-D]_MSI|S2MSI")
"""How the names and types of ESA's products begin."""


def is_reflectance(asset_band: AssetBand) -> bool:
    """Whether a band of a Sentinel-2 scene is one of the 13 that were measured."""
    return (
        plain(asset_band.name) in SENTINEL2 or asset_band.common in SENTINEL2.values()
    )


def with_offsets(item: Item, properties: Mapping[str, Any]) -> Item:
    """Say of the bands of a Sentinel-2 item what its properties say of their numbers.

    Args:
        item: The item.
        properties: Its properties.

    """
    baseline = _baseline(item.name, properties)
    applied = any(properties.get(name) is True for name in _APPLIED)
    if baseline is None and not applied:
        return item
    added = _OFFSET if baseline is not None and baseline >= _SINCE else 0.0
    asset_bands, twice = [], False
    for asset_band in item.asset_bands:
        if not is_reflectance(asset_band):
            asset_bands.append(asset_band)
        elif applied and asset_band.preferred:
            twice |= bool(asset_band.offset)
            asset_bands.append(replace(asset_band, offset=0.0, assumed=(_SCALE, 0.0)))
        else:
            asset_bands.append(replace(asset_band, assumed=(_SCALE, added)))
    note = (
        "an offset is declared and said to be taken off already; it is taken off once"
    )
    return replace(
        item,
        asset_bands=tuple(asset_bands),
        assumption=(
            f"no offset is declared; 1000 is taken off the numbers, since "
            f"Sentinel-2's processing baseline {baseline:05.2f} adds it "
            f"(`radiometry='raw'` leaves them)"
            if baseline is not None
            else ""
        ),
        notes=(
            *item.notes,
            *([note] if twice else []),
            *_contradictions(item, baseline, properties),
        ),
    )


def _contradictions(
    item: Item, baseline: float | None, properties: Mapping[str, Any]
) -> Iterator[str]:
    """Name what an item says of its offset that cannot be true together."""
    if baseline is None:
        return
    declared = {
        asset_band.offset
        for asset_band in item.asset_bands
        if is_reflectance(asset_band) and asset_band.offset is not None
    }
    kept = next((name for name in _APPLIED if properties.get(name) is False), None)
    added = next((offset for offset in declared if offset), None)
    if baseline < _SINCE and added is not None:
        contradiction = (
            f"the offset {added:g}, and its processing baseline {baseline:05.2f} none"
        )
    elif baseline >= _SINCE and kept and 0.0 in declared:
        contradiction = (
            f"the offset 0, and its processing baseline {baseline:05.2f} with {kept} "
            f"false that of {_OFFSET:g}"
        )
    else:
        return
    yield (
        f"its metadata contradict themselves: its bands declare {contradiction}; what "
        f"the bands declare was used (`radiometry='raw'` takes numbers as they are)"
    )


def _baseline(name: str, properties: Mapping[str, Any]) -> float | None:
    """Find the processing baseline of a product of ESA's; None where none is known."""
    version = next((properties[key] for key in _BASELINES if properties.get(key)), None)
    if version is None and any(
        _PRODUCTS.match(str(each))
        for each in (name, properties.get("product:type", ""))
    ):
        version = properties.get("processing:version")
    found = re.fullmatch(r"[Nn]?(\d\d)\.?(\d\d)", str(version))
    return float(f"{found[1]}.{found[2]}") if found else None
