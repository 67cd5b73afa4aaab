"""Chips as a STAC catalogue: an item for each image, a label item for each mask.

Links are relative, so the folder can be moved. The split is in the words of the ML AOI
extension. The Label extension's later versions disagree with their own schemas, so its
first one is used, and the Classification extension says what values mean.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pystac

from geoseg.geo.geobox import lonlat_outline, lonlat_union
from geoseg.geo.stac import (
    ALWAYS,
    CLASSIFICATION,
    GEOTIFF,
    PROJECTION,
    SCHEMAS,
    class_fields,
    plane_fields,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from geoseg.geo.geobox import Bounds
    from geoseg.geo.legend import Legend
    from geoseg.train.chips.table import Chip

_LABEL = f"{SCHEMAS}/label/v1.0.0/schema.json"
_SPLIT = f"{SCHEMAS}/ml-aoi/v0.1.0/schema.json"


def write_catalogue(
    folder: Path, title: str, chips: Sequence[Chip], legend: Legend | None
) -> None:
    """Write a catalogue with a collection of images, and one of masks, into a folder.

    Args:
        folder: Where images and masks are.
        title: What the catalogue is called.
        chips: What there is, all on Earth.
        legend: The classes; None without labels.

    """
    kinds = ["images"] if legend is None else ["images", "masks"]
    boxes = {chip.name: chip.geobox.lonlat_bounds() for chip in chips}
    for kind in kinds:
        for chip in chips:
            item = _item(chip, boxes[chip.name], legend if kind == "masks" else None)
            _write(folder / kind / f"{chip.name}.json", item)
        collection = _collection(title, kind, list(boxes.values()))
        for chip in chips:
            _link(collection, "item", f"./{chip.name}.json")
        _write(folder / kind / "collection.json", collection)
    root = pystac.Catalog(title, f"Chips of {title}, cut by geoseg.")
    for kind in kinds:
        _link(root, "child", f"./{kind}/collection.json")
    _link(root, "root", "./catalog.json")
    _write(folder / "catalog.json", root)


def _item(chip: Chip, box: Bounds, legend: Legend | None) -> pystac.Item:
    """Describe a chip's image, or with a legend its mask."""
    item = pystac.Item(
        id=chip.name if legend is None else f"{chip.name}-mask",
        geometry=lonlat_outline(box),
        bbox=[box.left, box.bottom, box.right, box.top],
        datetime=None,
        properties={
            **ALWAYS,
            **({"ml-aoi:split": chip.part} if chip.part else {}),
            "geoseg:scene": chip.scene,
            **plane_fields(chip.geobox),
        },
        stac_extensions=[PROJECTION, *([_SPLIT] if chip.part else [])],
        collection="images" if legend is None else "masks",
    )
    if legend is None:
        item.add_asset("image", _image(chip))
    else:
        _add_labels(item, chip, legend)
    _link(item, "root", "../catalog.json")
    _link(item, "parent", "./collection.json")
    _link(item, "collection", "./collection.json")
    return item


def _image(chip: Chip) -> pystac.Asset:
    profile = chip.profile
    bands = zip(profile.bands, profile.scales, profile.offsets, strict=True)
    declared = {} if profile.nodata is None else {"nodata": _number(profile.nodata)}
    return pystac.Asset(
        href=f"./{chip.name}.tif",
        media_type=GEOTIFF,
        roles=["data"],
        extra_fields={
            "data_type": profile.dtype,
            **declared,
            "bands": [
                {
                    "name": name,
                    **({} if scale == 1 else {"raster:scale": scale}),
                    **({} if offset == 0 else {"raster:offset": offset}),
                }
                for name, scale, offset in bands
            ],
        },
    )


def _add_labels(item: pystac.Item, chip: Chip, legend: Legend) -> None:
    names = [each.name for each in legend]
    counts = zip(names, chip.entry.counts, strict=True)
    item.stac_extensions += [_LABEL, CLASSIFICATION]
    item.properties |= {
        "label:type": "raster",
        "label:properties": None,
        "label:description": "A class for each labelled pixel; 255 is unlabelled.",
        "label:tasks": ["segmentation"],
        "label:classes": [{"name": "class", "classes": names}],
        "label:overviews": [
            {
                "property_key": "class",
                "counts": [{"name": n, "count": count} for n, count in counts if count],
            }
        ],
    }
    asset = pystac.Asset(
        href=f"./{chip.name}.tif",
        media_type=GEOTIFF,
        roles=["labels", "labels-raster"],
        extra_fields={"nodata": 255, "classification:classes": class_fields(legend)},
    )
    item.add_asset("labels", asset)
    _link(item, "source", f"../images/{chip.name}.json", {"label:assets": ["labels"]})


def _collection(title: str, kind: str, boxes: list[Bounds]) -> pystac.Collection:
    whole = lonlat_union(boxes)
    open_ended: list[datetime | None] = [None, None]
    collection = pystac.Collection(
        id=kind,
        description=f"The {kind} of {title}.",
        extent=pystac.Extent(
            pystac.SpatialExtent([[whole.left, whole.bottom, whole.right, whole.top]]),
            pystac.TemporalExtent([open_ended]),
        ),
        license="other",
    )
    _link(collection, "root", "../catalog.json")
    _link(collection, "parent", "../catalog.json")
    return collection


def _link(
    thing: pystac.STACObject,
    relation: str,
    target: str,
    fields: dict[str, Any] | None = None,
) -> None:
    """Add a link that stays as it is written."""
    thing.links = [link for link in thing.links if link.target is not thing]
    kind = "application/geo+json" if relation in {"item", "source"} else None
    link = pystac.Link(relation, target, kind or "application/json", None, fields)
    thing.links.append(link)


def _write(path: Path, thing: pystac.STACObject) -> None:
    document = thing.to_dict(include_self_link=False, transform_hrefs=False)
    path.write_text(
        json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8"
    )


def _number(value: float) -> float | str:
    """Write a nodata value as STAC does where JSON has no word for it."""
    return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124  NaN alone differs from itself
