"""Chips as a table: a GeoParquet file for whatever reads one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import shapely
from pyproj import CRS

from geoseg.storage.vectors.lonlat import ToLonlat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window
    from geoseg.train.chips.files import ImageProfile
    from geoseg.train.chips.ledger import ChipEntry


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip that was written."""

    name: str
    """Its files' name."""
    part: str
    """Its part of the split; empty where there is none."""
    scene: str
    """What it was cut from."""
    window: Window
    """Where in the scene."""
    geobox: GeoBox
    """Its plane."""
    profile: ImageProfile
    """What its image has in common with others of the scene."""
    entry: ChipEntry
    """What is in it."""

    @property
    def image(self) -> str:
        """The image's path in the folder."""
        return f"images/{self.name}.tif"

    @property
    def mask(self) -> str:
        """The mask's path in the folder."""
        return f"masks/{self.name}.tif"


def write_table(path: Path, chips: Sequence[Chip], legend: Legend | None) -> None:
    """Write a row a chip: outline, split, scene, row and column, files, shares.

    Geometries are in the scenes' CRS where they have one in common, else in degrees.

    Args:
        path: The file.
        chips: At least one.
        legend: The classes; None without labels.

    """
    shared = chips[0].geobox.crs
    crs = shared
    if any(chip.geobox.crs != shared for chip in chips):
        crs = CRS.from_epsg(4326)
    shapes = [shapely.Polygon(chip.geobox.corners) for chip in chips]
    if crs is not shared:
        shapes = [_in_degrees(chip.geobox) for chip in chips]
    rows = [_row(chip, legend) for chip in chips]
    frame = geopandas.GeoDataFrame(rows, geometry=shapes, crs=crs)
    frame.to_parquet(path, index=False, schema_version="1.1.0")


def _in_degrees(geobox: GeoBox) -> shapely.Geometry:
    """Draw a plane's outline in degrees, cut at the antimeridian."""
    outline = np.array([shapely.Polygon(geobox.corners)])
    pixel = float(np.sqrt(shapely.area(outline)[0] / (geobox.height * geobox.width)))
    way = ToLonlat.of(geobox.crs, shapely.total_bounds(outline), pixel)
    return way.polygons(outline)[0]


def _row(chip: Chip, legend: Legend | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": chip.name,
        "scene": chip.scene,
        "row": chip.window.row,
        "col": chip.window.col,
        "image": chip.image,
        "valid": chip.entry.valid / chip.window.pixels,
    }
    if legend is None:
        return row
    shares = [count / chip.window.pixels for count in chip.entry.counts]
    row |= {"split": chip.part, "mask": chip.mask, "labelled": sum(shares)}
    names = (f"share_{each.name}" for each in legend)
    return {**row, **dict(zip(names, shares, strict=True))}
