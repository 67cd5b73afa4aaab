"""What the metadata of a Sentinel-2 product say: its images, bands and numbers."""

from __future__ import annotations

import math
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.geo.band_names import SENTINEL2, plain
from geoseg.scene.items.item import AssetBand, Item
from geoseg.storage.raster_references import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

IMAGE = re.compile(r"_(B\d\d|B8A|SCL|AOT|WVP)(?:_(\d\d)m)?$")
"""How the names of images end: band and, since level 2A, resolution."""
_BANDS = [
    *(f"B{number:02}" for number in range(1, 9)),
    "B8A",
    "B09",
    "B10",
    "B11",
    "B12",
]
"""In the order of the metadata's ``band_id``."""
_GSD_M = dict.fromkeys(("B02", "B03", "B04", "B08"), 10.0) | dict.fromkeys(
    ("B01", "B09", "B10"), 60.0
)
"""Of level 1C's files, whose names do not say; all others have 20 m."""
_OFFSETS = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
_QUANTITIES = ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")


@dataclass(frozen=True, slots=True)
class Product:
    """A product, as its metadata describe it."""

    items: tuple[Item, ...]
    """Its granules: one, in all but the oldest products."""
    asset_bands: dict[str, AssetBand]
    """The band of each image, by its path."""


def understand(text: bytes, folder: str, name: str) -> Product:
    """Read a product's metadata.

    Args:
        text: ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.
        folder: The product's folder, in GDAL's words.
        name: The file, for messages.

    Raises:
        SceneError: It is damaged, or lists no image.

    """
    root = parse_xml(text, name, "product description")
    granules: dict[str, list[AssetBand]] = {}
    for image, asset_band in _asset_bands(root, folder, name):
        # A granule's folder: what is before IMG_DATA and folders of resolutions.
        granules.setdefault(image.partition("/IMG_DATA/")[0], []).append(asset_band)
    if not granules:
        raise SceneError(
            f"{name} lists no image (IMAGE_FILE), so it is no product of Sentinel-2's "
            f"that geoseg can read; name its files"
        )
    acquired = _text(root, "PRODUCT_START_TIME").replace("-", ":").replace("T", " ")
    title = posixpath.basename(folder)
    items = [
        Item(title, tuple(asset_bands), acquired=acquired.rstrip("Z"))
        for asset_bands in granules.values()
    ]
    return Product(
        tuple(items),
        {o.href: o for asset_bands in granules.values() for o in asset_bands},
    )


def _asset_bands(
    root: ET.Element, folder: str, path: str
) -> Iterator[tuple[str, AssetBand]]:
    """Give the images that are listed, from the folder on, and their bands."""
    quantity = _quantity(root, path)
    offsets = dict(_band_offsets(root, path))
    for element in root.iter():
        image = posixpath.normpath((element.text or "").strip())
        found = IMAGE.search(image)
        if _tag(element) != "IMAGE_FILE" or found is None:
            continue
        if image.startswith(("/", "..")):
            raise SceneError(f"{path} lists {image}, which is not in the product")
        band = found[1]
        of_ground = plain(band) in SENTINEL2
        yield (
            image,
            AssetBand(
                href=f"{folder}/{image}.jp2",
                name=band,
                common=SENTINEL2.get(plain(band), ""),
                of=1,
                gsd=float(found[2]) if found[2] else _GSD_M.get(band, 20.0),
                scale=1 / quantity if of_ground else None,
                offset=offsets.get(band, 0.0) / quantity if of_ground else None,
                nodata=0.0 if of_ground or band == "SCL" else None,
            ),
        )


def _quantity(root: ET.Element, path: str) -> float:
    """What numbers are divided by, to be reflectances."""
    quantity_text = next(filter(None, (_text(root, tag) for tag in _QUANTITIES)), "")
    quantity = _number(quantity_text, path)
    if quantity <= 0:
        raise SceneError(
            f"{path} says that numbers are to be divided by {quantity_text}"
        )
    return quantity


def _band_offsets(root: ET.Element, path: str) -> Iterator[tuple[str, float]]:
    """What is added to the numbers of each band before that."""
    for element in root.iter():
        if _tag(element) in _OFFSETS:
            band = element.get("band_id", "")
            if not band.isdecimal() or int(band) >= len(_BANDS):
                raise SceneError(f"{path} gives an offset for an unknown band {band!r}")
            yield _BANDS[int(band)], _number(element.text or "", path)


def _text(root: ET.Element, tag: str) -> str:
    texts = (each.text for each in root.iter() if _tag(each) == tag)
    return (next(texts, "") or "").strip()


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _number(text: str, path: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SceneError(
            f"{path} gives {text!r} where a number is needed, so what the product's "
            f"numbers mean is not known; name its files with `bands` from elsewhere"
        )
    return number
