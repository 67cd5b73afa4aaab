"""The classes' colours as a QGIS style, so that raster and polygons open in them.

QGIS looks for the style of a layer in a file of the layer's name that ends in ``.qml``.
``landcover.tif`` and ``landcover.geojson`` have one and the same, so it holds both: a
raster layer takes ``<pipe>`` of it and a vector layer ``<renderer-v2>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from geoseg.geo.legend import LandClass, Legend

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_OUTLINE_MM = "0.1"
"""A thin outline in the fill's colour hides the hairlines between neighbours."""


def make_qml(legend: Legend) -> str:
    """Write a QGIS style: an entry a class, of the raster's values and ``class_id``."""
    document = Element("qgis", version="3.28", styleCategories="Symbology")
    _add_raster(document, legend)
    _add_polygons(document, legend)
    indent(document)
    return _DOCTYPE + tostring(document, encoding="unicode") + "\n"


def _add_raster(document: Element, legend: Legend) -> None:
    """Add a palette of the classes alone; of a colour table QGIS shows 256 entries."""
    pipe = SubElement(document, "pipe")
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    SubElement(renderer, "rasterTransparency")
    palette = SubElement(renderer, "colorPalette")
    for land_class in legend:
        SubElement(
            palette,
            "paletteEntry",
            value=str(land_class.id),
            label=land_class.name,
            color=land_class.colour,
            alpha="255",
        )


def _add_polygons(document: Element, legend: Legend) -> None:
    """Add a category a class."""
    renderer = SubElement(
        document, "renderer-v2", type="categorizedSymbol", attr="class_id"
    )
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for position, land_class in enumerate(legend):
        SubElement(
            categories,
            "category",
            symbol=str(position),
            value=str(land_class.number),
            label=land_class.name,
            type="long",
            render="true",
        )
        _add_fill(symbols, str(position), land_class)


def _add_fill(symbols: Element, name: str, land_class: LandClass) -> None:
    """Add a plain fill in the class's colour."""
    symbol = SubElement(symbols, "symbol", type="fill", name=name, alpha="1")
    layer = SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
    options = SubElement(layer, "Option", type="Map")
    colour = ",".join(map(str, (*land_class.rgb, 255)))
    for key, value in {
        "color": colour,
        "outline_color": colour,
        "outline_style": "solid",
        "outline_width": _OUTLINE_MM,
        "outline_width_unit": "MM",
        "style": "solid",
    }.items():
        SubElement(options, "Option", type="QString", name=key, value=value)
