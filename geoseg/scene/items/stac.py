"""STAC items as items: one item, or those that a search found."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from geoseg.errors import SceneError
from geoseg.geo.band_names import is_band_name, plain, sensor_names
from geoseg.scene.items.assets import asset_bands_of, data_assets, declares_bands
from geoseg.scene.items.documents import read_document
from geoseg.scene.items.item import AssetBand, Item
from geoseg.scene.items.sentinel2 import with_offsets
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pystac


_DAMAGE = (
    # What pystac and a look into values raise that are not what they should be.
    *(KeyError, TypeError, AttributeError, IndexError, ValueError, ArithmeticError),
    RecursionError,
)
_SHOWN = 200
"""Characters of a reason that a message shows."""


def read_items(path: str) -> list[Item]:
    """Read the items of a STAC document.

    Args:
        path: The document in GDAL's words: an item, or a collection of items as
            pystac and pystac-client save a search.

    Raises:
        SceneError: It is no such document, or is damaged; or an item has no raster.

    """
    name = without_secrets(path)
    return [_item(item, path) for item in _items_of(read_document(path), name)]


def _items_of(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    kind = content.get("type")
    if kind in {"Collection", "Catalog"}:
        raise SceneError(
            f"{name} is a STAC {kind.lower()}, which stands for more than one scene; "
            f"search it, and give the items found"
        )
    found = content.get("features") if kind == "FeatureCollection" else [content]
    if not isinstance(found, list) or not found:
        raise SceneError(f"{name} holds no STAC item; widen the search that made it")
    for each in found:
        if not isinstance(each, dict) or "assets" not in each:
            raise SceneError(
                f"{name} is no STAC item, and no collection of items; a scene is a "
                f"raster or a STAC item, an area of interest is given as `aoi`"
            )
    return found


def _item(content: dict[str, Any], path: str) -> Item:
    import pystac  # noqa: PLC0415  # most scenes are no items

    name = without_secrets(path)
    try:
        return _understood(pystac.Item.from_dict(content, migrate=True), path)
    except (*_DAMAGE, pystac.STACError, pystac.STACTypeError) as error:
        if isinstance(error, SceneError):
            raise
        why = " ".join(f"{type(error).__name__}: {error}".split())[:_SHOWN]
        raise SceneError(
            f"{name} is damaged: it holds no STAC item that can be understood ({why})"
        ) from error


def _understood(item: pystac.Item, path: str) -> Item:
    assets = data_assets(item)
    if not assets:
        raise SceneError(
            f"the STAC item {item.id} has no asset that is a raster; its assets are "
            f"{', '.join(sorted(map(str, item.assets))) or 'none'}"
        )
    asset_bands = [
        o for key, asset in assets.items() for o in asset_bands_of(key, asset)
    ]
    table = sensor_names(_sensor(item.properties))
    described = Item(
        str(item.id),
        tuple(_with_common(asset_band, table) for asset_band in asset_bands),
        document=path,
        acquired=_when(item),
        cloud=_cloud(item.properties),
        has_bands=any(map(declares_bands, assets.values()))
        or any(is_band_name(asset_band.name) for asset_band in asset_bands),
    )
    return with_offsets(described, item.properties)


def _with_common(asset_band: AssetBand, table: Mapping[str, str]) -> AssetBand:
    return replace(
        asset_band, common=asset_band.common or table.get(plain(asset_band.name), "")
    )


def _sensor(properties: Mapping[str, Any]) -> str:
    names = (properties.get(key) for key in ("platform", "constellation"))
    return next((str(name) for name in names if name), "")


def _cloud(properties: Mapping[str, Any]) -> float | None:
    found = properties.get("eo:cloud_cover")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if math.isfinite(found) else None


def _when(item: pystac.Item) -> str:
    """When a picture was acquired, as TIFF's tags write it, so that the two compare."""
    when = item.datetime or item.common_metadata.start_datetime
    if when is None:
        return ""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y:%m:%d %H:%M:%S.%f")
