"""How a GeoTIFF keeps the names and colours of its classes, thrice.

rasterio cannot write the names of classes, but a VRT can carry them: the COG
driver copies them to the ``.aux.xml`` beside the product, as category names for
GDAL's tools and as an attribute table for QGIS. The legend is also kept in the
file's own tags, so that a map that lost its sidecar still knows its classes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import rasterio.shutil

from geoseg.geo.legend import LandClass, Legend

if TYPE_CHECKING:
    from pathlib import Path

LEGEND_TAG = "GEOSEG_LEGEND"
"""The name of the file's tag that holds the legend as JSON."""

_TABLE_FIELDS = {  # name: (GDALRATFieldType, GDALRATFieldUsage), GDAL's numbers
    "Value": (0, 5),  # integer; least and largest value
    "Class": (2, 2),  # string; name
    "Red": (0, 6),
    "Green": (0, 7),
    "Blue": (0, 8),
    "Alpha": (0, 9),
}


def with_classes_named(raster: Path, legend: Legend) -> Path:
    """Make a VRT of the raster that adds the names of the classes."""
    view = raster.with_name(f"{raster.name}.vrt")
    rasterio.shutil.copy(raster, view, driver="VRT")
    tree = ET.parse(view)  # noqa: S314 (GDAL wrote it a moment ago)
    for band in tree.iter("VRTRasterBand"):
        names = ET.SubElement(band, "CategoryNames")
        for name in legend.category_names():
            ET.SubElement(names, "Category").text = name
        band.append(_attribute_table(legend))
    tree.write(view, encoding="utf-8")
    return view


def _attribute_table(legend: Legend) -> ET.Element:
    """List the classes in GDAL's raster attribute table.

    From it QGIS makes a legend of these classes; from the colour table alone it
    would make one of all 256 values.
    """
    table = ET.Element("GDALRasterAttributeTable", tableType="thematic")
    for index, (name, (kind, usage)) in enumerate(_TABLE_FIELDS.items()):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            ET.SubElement(field, tag).text = str(text)
    for index, land_class in enumerate(legend):
        row = ET.SubElement(table, "Row", index=str(index))
        for value in (land_class.id, land_class.name, *land_class.rgb, 255):
            ET.SubElement(row, "F").text = str(value)
    return table


def legend_to_json(legend: Legend) -> str:
    """Write a legend as the file's tag keeps it."""
    classes = [{"id": c.id, "name": c.name, "colour": c.colour} for c in legend]
    return json.dumps(classes, ensure_ascii=False)


def legend_from_json(text: str) -> Legend:
    """Read a legend from the file's tag."""
    return Legend(tuple(LandClass(**entry) for entry in json.loads(text)))
