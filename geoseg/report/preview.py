"""A picture of a map beside its image, for a slide.

Rasters are read at the resolution of the picture, from overviews where there
are some: the size of the scene does not matter for memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.enums import Resampling

from geoseg.geo.legend import NODATA
from geoseg.raster import ClassMap
from geoseg.report.components import SHOWN
from geoseg.report.imagery import Shown
from geoseg.report.overview import Overview
from geoseg.report.pyramid import finest_image, levels_of
from geoseg.report.report import area_text
from geoseg.report.slide import LegendRow, Page, Slide
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.report.imagery import Image
    from geoseg.report.pyramid import Level
    from geoseg.report.report import ClassArea

_PALE = 0.65
"""How far the image is faded to white where the map has no class."""

_MOST_ROWS = 14
"""Legend lines that fit a slide; smaller classes are then counted together."""


def write_preview(  # noqa: PLR0913 (two files and what is said of them, by keyword)
    path: Path,
    *,
    scene: Image,
    rgb: tuple[int, ...],
    map_path: Path,
    legend: Legend,
    areas: Sequence[ClassArea],
    title: str,
    attribution: str = "",
    megabytes: float = 0,
    draft: Overview | None = None,
) -> Shown:
    """Draw the image and the map in its class colours, and save them as PNG.

    The same inputs give the same bytes.

    Args:
        path: The PNG to write, at most 2000 x 1125 pixels.
        scene: The image; it is cropped to the map.
        rgb: Which of its bands, counted from 0, are shown red, green and blue; of
            more than three their principal components are.
        map_path: The class map, on pixels of the image.
        legend: Names and colours of its classes.
        areas: How much of each class there is.
        title: The heading.
        attribution: Whose data this is, in small print.
        megabytes: How large a page may be that shows the image as well: as much of it
            is read as both need, once.
        draft: What `read_draft` gave of the image with these bands and megabytes; it is
            read now where None.

    Returns:
        How the image is shown, at the resolution of such a page.

    Raises:
        DiskError: The file cannot be written.

    """
    plane = ClassMap.open(map_path).geobox
    ground = plane.ground()
    rows = _legend_rows(areas, legend)
    width_m = plane.width * ground.column_m
    page = Page.around(_aspect(plane), len(rows))

    slide = Slide(page)
    slide.heading(title, attribution)
    classes = _read_map(map_path, page.pixels)
    unmapped = classes == NODATA
    seen = draft or read_draft(scene, rgb, plane, megabytes, path.parent) or scene
    shown, image = Shown.fitted(seen, rgb, plane, unmapped)
    slide.panel(page.corners[0], "Image", _paled(image, unmapped))
    slide.panel(page.corners[1], "Land cover", _coloured(classes, legend))
    slide.legend("Classes", rows)
    slide.scale_bar(width_m / page.panel[0])
    if ground.north is not None:
        slide.north_arrow(ground.north)
    with atomic_file(path) as whole:
        # Known as ours by it; a version would be a trace of time.
        slide.figure.savefig(whole, format="png", metadata={"Software": "geoseg"})
    return shown


def read_draft(
    scene: Image,
    rgb: tuple[int, ...],
    plane: GeoBox,
    megabytes: float,
    folder: Path,
) -> Overview | None:
    """Read of a scene what its pictures show, which no map decides.

    Args:
        scene: The image.
        rgb: Which of its bands, counted from 0.
        plane: The map's plane, on pixels of the image.
        megabytes: How large a page may be that shows the image as well.
        folder: Where it is kept, in a file without a name.

    Returns:
        What is shown; None of many bands, whose pictures are read one by one.

    Raises:
        DiskError: The file cannot be written.

    """
    if len(rgb) > SHOWN:
        return None
    panel = Page.around(_aspect(plane), 0).pixels  # no legend changes it
    shape = min(panel[0], plane.height), min(panel[1], plane.width)
    return Overview.of(scene, rgb, plane, _level(plane, shape, megabytes), folder)


def _aspect(plane: GeoBox) -> float:
    """Give the width of a plane on the ground divided by its height."""
    ground = plane.ground()
    return plane.width * ground.column_m / (plane.height * ground.row_m)


def _paled(image: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fade an image, shape (y, x, band), where a mask (y, x) is True."""
    faded = image.copy()
    faded[where] = np.round(image[where] * (1 - _PALE) + 255 * _PALE)
    return faded


def _level(plane: GeoBox, shape: tuple[int, ...], megabytes: float) -> Level:
    """Give the level that has the pixels of a picture, and those of a page."""
    levels = levels_of(plane.height, plane.width)
    enough = (e for e in levels if e.height >= shape[0] and e.width >= shape[1])
    return min(next(enough), finest_image(plane, megabytes), key=lambda e: e.factor)


def _read_map(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a map at up to this many rows and columns, by the most frequent class."""
    with rasterio.open(path) as dataset:
        classes: NDArray[np.uint8] = dataset.read(
            1,
            out_shape=(min(shape[0], dataset.height), min(shape[1], dataset.width)),
            resampling=Resampling.mode,
        )
    return classes


def _coloured(classes: NDArray[np.uint8], legend: Legend) -> NDArray[np.uint8]:
    """Give class ids, shape (y, x), their colours (y, x, band); nodata is white."""
    table = np.full((256, 3), 255, np.uint8)
    for land_class in legend:
        table[land_class.id] = land_class.rgb
    return np.asarray(table[classes])


def _legend_rows(areas: Sequence[ClassArea], legend: Legend) -> list[LegendRow]:
    """List the classes that occur, in the order of the legend."""
    present = [area for area in areas if area.pixels]
    largest = sorted(present, key=lambda area: -area.pixels)
    shown, rest = largest[:_MOST_ROWS], largest[_MOST_ROWS:]
    most = largest[0].area_ha if largest else 0.0

    def row(colour: str, name: str, *together: ClassArea) -> LegendRow:
        share = sum(area.share for area in together)
        hectares = sum(area.area_ha for area in together)
        return LegendRow(colour, name, f"{share:.1%}", area_text(hectares, most))

    rows = [row(legend.by_id(a.id).colour, a.name, a) for a in present if a in shown]
    if rest:
        rows.append(row("#ffffff", f"{len(rest)} smaller classes", *rest))
    return rows
