"""Sentinel-2 products: the files of a ``.SAFE`` folder as a bundle.

GDAL has a driver for them, whose subdatasets are one for each resolution. Files are
taken by name here instead: so bands of a product are found like those of a STAC item,
only the files needed are opened, and what `MTD_MSIL1C.xml` or `MTD_MSIL2A.xml` says of
numbers holds for one of its JP2s that a user names alone, too.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.bundle import Bundle, Offer
from geoseg.scene.references import parse_xml
from geoseg.sensors import SENTINEL2, plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree as ET

    from geoseg.scene.header import Header

_METADATA = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
_LONGEST = 64_000_000
"""Bytes of the longest metadata file that is read."""
_ABOVE = 5
"""How far above one of its images a product's metadata may lie."""
_IMAGE = re.compile(r"_(B\d\d|B8A|SCL|AOT|WVP)(?:_(\d\d)m)?$")
"""How the names of images end: band and, since level 2A, resolution."""
_PACKED = re.compile(r"^SENTINEL2_L|S2[A-D]_MSI[^/]*\.zip$")
"""How GDAL names a part of a product, and how archives of products are called."""
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
"""Of level 1C's files, whose names do not tell; all others have 20 m."""
_OFFSETS = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
_QUANTITIES = ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")


@dataclass(frozen=True, slots=True)
class _Product:
    """What a product's metadata tell."""

    folder: Path
    """Where it is."""
    bundles: tuple[Bundle, ...]
    """Its granules: one, in all but the oldest products."""
    offers: dict[Path, Offer]
    """The band of each image."""


def read_product(place: str) -> list[Bundle] | None:
    """Read a product by its folder or its metadata; None where a place is neither.

    Raises:
        SceneError: Its metadata cannot be read.

    """
    path = Path(place)
    if path.name in _METADATA and path.is_file():
        return list(_read(path).bundles)
    if path.suffix.lower() == ".safe" and path.is_dir():
        found = [path / name for name in _METADATA if (path / name).is_file()]
        return list(_read(found[0]).bundles) if found else None
    return None


def check_unpacked(place: str) -> None:
    """Refuse a product in an archive, and GDAL's own words for parts of a product.

    Raises:
        SceneError: It is one; its metadata would not be looked at.

    """
    if _PACKED.search(place):
        raise SceneError(
            f"{place} is a Sentinel-2 product as GDAL's driver reads it, without the "
            f"offset that its metadata tell; unpack it, and give its .SAFE folder"
        )


def as_product_says(header: Header) -> Header:
    """Complete the header of an image that lies in its product.

    Nothing changes where it lies elsewhere, or where its product does not list it.
    """
    path = Path(header.place)
    if _IMAGE.search(path.stem) is None or len(header.bands) != 1 or not path.is_file():
        return header
    path = path.resolve()
    for folder in path.parents[1 : _ABOVE + 1]:
        for name in _METADATA:
            if (folder / name).is_file():
                offer = _read(folder / name).offers.get(path)
                return header if offer is None else _described(header, offer)
    return header


def _described(header: Header, offer: Offer) -> Header:
    band = header.bands[0]
    own = (band.scale, band.offset)
    scale, offset = own if offer.scale is None else (offer.scale, offer.offset or 0.0)
    named = replace(
        band,
        name=band.name or offer.name,
        scale=scale,
        offset=offset,
        nodata=offer.nodata,
    )
    return replace(header, bands=(named,))


def _read(path: Path) -> _Product:
    return _read_as_it_was(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read_as_it_was(path: Path, _: int) -> _Product:
    """Read metadata once, as long as the file is not changed."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SceneError(f"{path} cannot be read ({error.strerror})") from error
    if len(text) > _LONGEST:
        raise SceneError(f"{path} is too long for metadata ({len(text):,} bytes)")
    root = parse_xml(text, path, "product description")
    granules: dict[Path, list[Offer]] = {}
    for image, offer in _offers(root, path):
        granules.setdefault(_granule(image), []).append(offer)
    if not granules:
        raise SceneError(
            f"{path} lists no image (IMAGE_FILE), so it is no product of Sentinel-2's "
            f"that geoseg can read; name its files"
        )
    taken = _text(root, "PRODUCT_START_TIME").replace("-", ":").replace("T", " ")
    bundles = [
        Bundle(path.parent.name, tuple(offers), taken=taken.rstrip("Z"))
        for offers in granules.values()
    ]
    images = {Path(o.href): o for offers in granules.values() for o in offers}
    return _Product(path.parent, tuple(bundles), images)


def _granule(image: Path) -> Path:
    """The folder of an image's granule: IMG_DATA, without folders of resolutions."""
    parts = image.parts
    at = parts.index("IMG_DATA") if "IMG_DATA" in parts else len(parts) - 1
    return Path(*parts[:at])


def _offers(root: ET.Element, path: Path) -> Iterator[tuple[Path, Offer]]:
    """Give the images that are listed, and their bands."""
    quantity = _quantity(root, path)
    offsets = dict(_band_offsets(root, path))
    for element in root.iter():
        found = _IMAGE.search((element.text or "").strip())
        if _tag(element) != "IMAGE_FILE" or found is None:
            continue
        image = (path.parent / f"{(element.text or '').strip()}.jp2").resolve()
        if not image.is_relative_to(path.parent):
            raise SceneError(
                f"{path} lists {element.text}, which is not in the product"
            )
        band = found[1]
        of_ground = plain(band) in SENTINEL2
        yield (
            image,
            Offer(
                href=str(image),
                name=band,
                common=SENTINEL2.get(plain(band), ""),
                of=1,
                gsd=float(found[2]) if found[2] else _GSD_M.get(band, 20.0),
                scale=1 / quantity if of_ground else None,
                offset=offsets.get(band, 0.0) / quantity if of_ground else None,
                nodata=0.0 if of_ground or band == "SCL" else None,
            ),
        )


def _quantity(root: ET.Element, path: Path) -> float:
    """What numbers are divided by, to be reflectances."""
    told = next(filter(None, (_text(root, tag) for tag in _QUANTITIES)), "")
    quantity = _number(told, path)
    if quantity <= 0:
        raise SceneError(f"{path} says that numbers are to be divided by {told}")
    return quantity


def _band_offsets(root: ET.Element, path: Path) -> Iterator[tuple[str, float]]:
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


def _number(text: str, path: Path) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SceneError(
            f"{path} gives {text!r} where a number is needed, so what the product's "
            f"numbers mean is not known; name its files with --band from elsewhere"
        )
    return number
