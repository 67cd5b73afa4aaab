"""Names and colours that other tools gave to the values of a class raster.

rasterio reads neither categories nor attribute tables, but a VRT of the raster holds
both, and the palette, wherever the format keeps them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import rasterio.shutil
from rasterio.io import MemoryFile

from geoseg.geo.legend import Legend, named_legend, plain_legend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rasterio.io import DatasetReader
_NAME, _MIN, _MIN_MAX = "2", "3", "5"
_RED, _GREEN, _BLUE = "6", "7", "8"
"""Usages of a field of an attribute table, GDAL's numbers (GDALRATFieldUsage)."""
_STRING = "2"
"""The type of a field of text (GDALRATFieldType)."""
_LIKE_A_NAME = re.compile("class|name|label|cover|categor|descr|legend", re.IGNORECASE)
"""How fields are called that hold names, where none is marked so."""
_MOST = 1 << 16
"""Rows of an attribute table that are looked at."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a raster says of its values."""

    names: Mapping[int, str] = field(default_factory=dict)
    """Their names, where they have some."""
    colours: Mapping[int, str] = field(default_factory=dict)
    """Their colours, ``#rrggbb``."""

    def legend(self, values: Sequence[int], ids: Sequence[int]) -> Legend:
        """Make a legend of the values that occur; what has no name is ``class 7``."""
        if not values:
            return plain_legend(ids)
        names = list(_unique(self.names.get(v, f"class {v}") for v in values))
        legend = named_legend(ids, names, [self.colours.get(v) for v in values])
        known = zip(legend, values, strict=True)
        return Legend(tuple(replace(each, value=value) for each, value in known))


def naming_of(dataset: DatasetReader, band: int) -> Naming:
    """Read what a raster says of the values of a band.

    The attribute table goes before category names and palette.
    """
    with MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(dataset, memory.name, driver="VRT")
        root = ET.fromstring(memory.read())  # noqa: S314  # GDAL wrote it just now
    found = root.find(f"VRTRasterBand[@band='{band}']")
    if found is None:
        return Naming()
    names = _categories(found)
    colours = _palette(found)
    table = found.find("GDALRasterAttributeTable")
    if table is not None:
        named, coloured = _attributes(table)
        names, colours = {**names, **named}, {**colours, **coloured}
    return Naming({v: name for v, name in names.items() if name}, colours)


def _categories(band: ET.Element) -> dict[int, str]:
    texts = (each.text for each in band.iterfind("CategoryNames/Category"))
    return {value: _clean(text) for value, text in enumerate(texts)}


def _palette(band: ET.Element) -> dict[int, str]:
    colours = {}
    for value, entry in enumerate(band.iterfind("ColorTable/Entry")):
        channels = [int(entry.get(f"c{each}", 0)) for each in (1, 2, 3)]
        colours[value] = _hex(channels)
    return colours


def _attributes(table: ET.Element) -> tuple[dict[int, str], dict[int, str]]:
    """Read names and colours of a table's rows, by the value that each is of."""
    fields = [
        {tag: each.findtext(tag, "") for tag in ("Name", "Type", "Usage")}
        for each in table.iterfind("FieldDefn")
    ]
    used = {each["Usage"]: column for column, each in enumerate(fields)}
    of_value = used.get(
        _MIN_MAX, used.get(_MIN, _called(fields, re.compile("^value$", re.IGNORECASE)))
    )
    of_name = used.get(_NAME, _field_of_names(fields))
    of_colour = [used[each] for each in (_RED, _GREEN, _BLUE) if each in used]
    names, colours = {}, {}
    for index, row in zip(range(_MOST), table.iterfind("Row"), strict=False):
        cells = [each.text or "" for each in row.iterfind("F")]
        value = _whole(cells[of_value]) if of_value is not None else index
        if value is None:
            continue
        if of_name is not None:
            names[value] = _clean(cells[of_name])
        if len(of_colour) == len("rgb"):
            colours[value] = _hex([_whole(cells[each]) or 0 for each in of_colour])
    return names, colours


def _called(
    fields: Sequence[Mapping[str, str]], pattern: re.Pattern[str]
) -> int | None:
    found = (i for i, each in enumerate(fields) if pattern.search(each["Name"]))
    return next(found, None)


def _field_of_names(fields: Sequence[Mapping[str, str]]) -> int | None:
    """Find the field of text whose name says that it holds names, or any of text."""
    texts = [column for column, each in enumerate(fields) if each["Type"] == _STRING]
    like = (column for column in texts if _LIKE_A_NAME.search(fields[column]["Name"]))
    return next(like, next(iter(texts), None))


def _whole(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _hex(channels: Sequence[int]) -> str:
    return "#" + "".join(f"{min(max(each, 0), 255):02x}" for each in channels)


def _clean(text: str | None) -> str:
    """Write a name in one line of characters that can be shown."""
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())


def _unique(names: Iterable[str]) -> list[str]:
    """Make names unique: classes of one name get a number each."""
    kept: dict[str, None] = {}
    for name in names:
        unique, number = name, 1
        while unique in kept:
            number += 1
            unique = f"{name} ({number})"
        kept[unique] = None
    return list(kept)
