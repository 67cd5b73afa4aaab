"""Sentinel-2 products: the files of a ``.SAFE`` folder as an item.

GDAL has a driver for them, whose subdatasets are one for each resolution. Files are
taken by name here instead: so bands of a product are found like those of a STAC item,
only the files needed are opened, and what `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml` says of
numbers holds for one of its JP2s that a user names alone, too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.items.documents import read_bytes
from geoseg.scene.items.safe_metadata import IMAGE, Product, understand
from geoseg.storage.remote import as_url, without_secrets

if TYPE_CHECKING:
    from geoseg.scene.files.header import Header
    from geoseg.scene.items.item import Item

_METADATA = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
_ABOVE = 5
"""How far above one of its images a product's metadata may lie."""
_PACKED = re.compile(
    r"^SENTINEL2_L|S2[A-D]_MSI[^/]*\.zip$|^/vsi(zip|tar|gzip|7z|rar)/.*S2[A-D]_MSI"
)
"""How GDAL names a part of a product, and what is in archives of products."""
_BEYOND = re.compile(r"(.*/S2[A-D]_MSI(L1C|L2A)_[^/]*\.SAFE)(?:/|$)")
"""A product's folder, on a server or an object store."""


def read_product(gdal_name: str) -> list[Item] | None:
    """Read a product by its folder or its metadata; None where a path is neither.

    Raises:
        SceneError: Its metadata cannot be read.

    """
    folder, _, name = gdal_name.rstrip("/").rpartition("/")
    if as_url(gdal_name) is not None:
        found = _BEYOND.fullmatch(
            f"{folder}/{name}" if name not in _METADATA else folder
        )
        return list(_beyond(found).items) if found else None
    path = Path(gdal_name)
    if name in _METADATA and path.is_file():
        return list(_on_disk(path).items)
    if name.lower().endswith(".safe") and path.is_dir():
        there = [path / name for name in _METADATA if (path / name).is_file()]
        return list(_on_disk(there[0]).items) if there else None
    return None


def check_unpacked(gdal_name: str) -> None:
    """Refuse a product in an archive, and GDAL's own words for parts of a product.

    Raises:
        SceneError: It is one; its metadata would not be looked at.

    """
    if _PACKED.search(gdal_name):
        raise SceneError(
            f"{gdal_name} is a Sentinel-2 product as GDAL's driver reads it, without "
            f"the offset that its metadata give; unpack it, and give its .SAFE folder"
        )


def as_product_says(header: Header, *, beyond: bool = True) -> Header:
    """Complete the header of an image that lies in its product.

    Nothing changes where it lies elsewhere, or where its product does not list it.

    Args:
        header: The image's.
        beyond: Whether metadata on servers and object stores are read, too.

    Raises:
        SceneError: It lies in a product whose metadata cannot be read.

    """
    stem = without_secrets(header.path).removesuffix(".jp2")
    if IMAGE.search(stem) is None or len(header.bands) != 1:
        return header
    if not beyond and as_url(header.path) is not None:
        return header
    product, gdal_name = _product_of(header.path)
    asset_band = None if product is None else product.asset_bands.get(gdal_name)
    if asset_band is None:
        return header
    band = header.bands[0]
    own = (band.scale, band.offset)
    scale, offset = (
        own
        if asset_band.scale is None
        else (asset_band.scale, asset_band.offset or 0.0)
    )
    named = replace(
        band,
        name=band.name or asset_band.name,
        scale=scale,
        offset=offset,
        nodata=asset_band.nodata,
    )
    return replace(header, bands=(named,))


def _product_of(gdal_name: str) -> tuple[Product | None, str]:
    """Find the product that an image lies in, and the image's path there."""
    if as_url(gdal_name) is not None:
        found = _BEYOND.match(gdal_name)
        return (_beyond(found) if found else None), gdal_name.partition("?")[0]
    path = Path(gdal_name).resolve()
    for folder in path.parents[1 : _ABOVE + 1]:
        for name in _METADATA:
            if (folder / name).is_file():
                return _on_disk(folder / name), str(path)
    return None, gdal_name


def _on_disk(path: Path) -> Product:
    path = path.resolve()
    return _read(str(path.parent), path.name, path.stat().st_mtime_ns)


def _beyond(found: re.Match[str]) -> Product:
    return _read(found[1], f"MTD_MSI{found[2]}.xml", 0)


@lru_cache(maxsize=256)
def _read(folder: str, name: str, _: int) -> Product:
    """Read metadata once, as long as a file on a disk is not changed."""
    gdal_name = f"{folder}/{name}"
    try:
        return understand(read_bytes(gdal_name), folder, without_secrets(gdal_name))
    except SceneError as error:
        raise SceneError(
            f"{error}; a product's metadata are needed to know what its numbers mean, "
            f"if they are not to be taken as they are: `radiometry='raw'`"
        ) from error
