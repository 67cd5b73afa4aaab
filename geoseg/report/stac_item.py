"""A map as a STAC item: what it is of, what its values mean, what it was made from.

Core 1.1 with the extensions projection, raster, file, classification and processing.
Products are named relatively, so that the folder can be moved; what the map was made
from is where it was. The item has no time of its own making: the same map has the same
item.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pyproj.exceptions import ProjError

from geoseg.errors import json_text
from geoseg.geo.geobox import lonlat_outline
from geoseg.geo.legend import NODATA
from geoseg.geo.stac import (
    ALWAYS,
    CLASSIFICATION,
    GEOTIFF,
    PROJECTION,
    SCHEMAS,
    class_fields,
    plane_fields,
)
from geoseg.storage.staging import atomic_file
from geoseg.storage.vectors.formats import BY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend

_EXTENSIONS = (
    PROJECTION,
    f"{SCHEMAS}/raster/v2.0.0/schema.json",
    f"{SCHEMAS}/file/v2.1.0/schema.json",
    CLASSIFICATION,
    f"{SCHEMAS}/processing/v1.2.0/schema.json",
)
_COG = f"{GEOTIFF}; profile=cloud-optimized"
_ITEM = "application/geo+json"
_SHA256 = "1220"
"""What a multihash begins with: SHA-256, of 32 bytes."""
_TIME = re.compile(r"\s*(\d{4})\D?(\d{2})\D?(\d{2})(?:\D*(\d{2})\D?(\d{2})\D?(\d{2}))?")
"""A date, or a date and a time, as tags of files and documents write them."""
_KINDS = {  # suffix: (media type, roles)
    ".tif": (_COG, ("data",)),
    **{each.suffix: (each.media_type, ("data",)) for each in BY_SUFFIX.values()},
    ".qml": ("application/xml", ("style",)),
    ".png": ("image/png", ("overview",)),
    ".html": ("text/html", ("overview",)),
    ".json": ("application/json", ("metadata",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """A model that a map was made with."""

    name: str
    """Its name and version."""
    card: str
    """Its MLM item, as a path or a URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterBands:
    """What the bytes of a raster mean; 255 is no data."""

    names: Sequence[str]
    """What each band is."""
    unit: str = ""
    """The unit of all of them, where there is one."""
    one: int = 1
    """The byte that means 1."""
    legend: Legend | None = None
    """The classes, where they are such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapItem:
    """All that the item of a map says."""

    title: str
    """What the map is called."""
    geobox: GeoBox
    """Its pixel plane."""
    rasters: Mapping[str, RasterBands]
    """What the values of each raster mean, by the product's name."""
    products: Mapping[str, Path]
    """Each product's file, by its name."""
    checksums: Mapping[str, str]
    """The SHA-256 of files, by their names."""
    models: Sequence[UsedModel]
    """What it was made with."""
    inputs: Sequence[tuple[str, bool]]
    """What it was made from, and whether that is a document with items."""
    areas: Mapping[str, Any] | None = None
    """What a sample of the ground says of the areas of its classes."""
    acquired: Sequence[str]
    """When each member of the scene was acquired, as it says; or an empty string."""


def write_item(path: Path, item: MapItem) -> None:
    """Write the item of a map beside it.

    Raises:
        DiskError: The file cannot be written.

    """
    with atomic_file(path) as whole:
        whole.write_text(json_text(item_of(path, item)) + "\n", encoding="utf-8")


def item_of(path: Path, item: MapItem) -> dict[str, Any]:
    """Give the item of a map as JSON has it.

    Args:
        path: Where it will be; products are named from there.
        item: What it says.

    """
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": item.title,
        **_outline(item.geobox),
        "properties": {
            "title": f"Land cover of {item.title}",
            **_times(item.acquired),
            "gsd": round(item.geobox.gsd_m(), 3),
            **plane_fields(item.geobox),
            "processing:level": "L4",
            "processing:lineage": _lineage(item.models),
            "processing:software": {"geoseg": version("geoseg")},
            **({} if item.areas is None else {"geoseg:areas": item.areas}),
        },
        "links": list(_links(item)),
        "assets": {
            name: _asset(path, name, file, item)
            for name, file in item.products.items()
            if file != path
        },
    }


def _outline(geobox: GeoBox) -> dict[str, Any]:
    """Give the outline in degrees, and its box; none of a plane that is nowhere."""
    try:
        box = geobox.lonlat_bounds()
    except ProjError:  # a CRS that is nowhere on Earth
        return {"geometry": None}
    corners = [box.left, box.bottom, box.right, box.top]
    if not all(map(math.isfinite, corners)):
        return {"geometry": None}
    return {"geometry": lonlat_outline(box), "bbox": corners}


def _times(acquired: Iterable[str]) -> dict[str, str | None]:
    """Say when the scene was acquired; always, where a member does not say.

    Example:
        >>> _times(["2024:05:01 10:20:30", "2024-05-03"])["end_datetime"]
        '2024-05-03T00:00:00Z'

    """
    found = [_TIME.match(text) for text in acquired]
    if not found or not all(found):
        return {"datetime": None, **ALWAYS}
    times = sorted(
        "{}-{}-{}T{}:{}:{}Z".format(*each.groups("00")) for each in found if each
    )
    if times[0] == times[-1]:
        return {"datetime": times[0]}
    return {"datetime": None, "start_datetime": times[0], "end_datetime": times[-1]}


def _lineage(models: Sequence[UsedModel]) -> str:
    names = ", ".join(each.name for each in models)
    return f"Semantic segmentation with {names}."


def _links(item: MapItem) -> Iterator[dict[str, str]]:
    """Link to the models' items, and to what the map was made from."""
    for each in item.models:
        yield {
            "rel": "derived_from",
            "href": each.card,
            "type": _ITEM,
            "title": f"The model {each.name}",
            "mlm:name": each.name,
        }
    for address, is_item in item.inputs:
        if is_item:
            yield {"rel": "derived_from", "href": address, "type": _ITEM}
        else:
            yield {"rel": "via", "href": address}


def _asset(path: Path, name: str, file: Path, item: MapItem) -> dict[str, Any]:
    """Describe a product: what it is, its checksum, and what its values mean."""
    kind, roles = _KINDS[file.suffix]
    href = os.path.relpath(file, path.parent).replace(os.sep, "/")
    asset: dict[str, Any] = {
        "href": href if href.startswith(".") else f"./{href}",
        "type": kind,
        "title": name,
        "roles": list(roles),
    }
    if file.name in item.checksums:
        asset["file:checksum"] = f"{_SHA256}{item.checksums[file.name]}"
        asset["file:size"] = file.stat().st_size
    if name in item.rasters:
        asset |= _raster(item.rasters[name])
    return asset


def _raster(raster: RasterBands) -> dict[str, Any]:
    """Describe a raster's values."""
    return {
        "data_type": "uint8",
        "nodata": NODATA,
        "raster:sampling": "area",
        **({"unit": raster.unit} if raster.unit else {}),
        **({"raster:scale": 1 / raster.one} if raster.one != 1 else {}),
        **(
            {"classification:classes": class_fields(raster.legend)}
            if raster.legend
            else {}
        ),
        "bands": [{"name": each} for each in raster.names],
    }
