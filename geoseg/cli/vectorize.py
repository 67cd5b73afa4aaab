"""geoseg vectorize: a class map in, polygons out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.options import (
    flags_of,
    opening,
    options_of,
    reporting,
    writing,
)
from geoseg.cli.screen import Screen, show_polygons
from geoseg.cli.values import path_text
from geoseg.options import VectorizeKeywords

if TYPE_CHECKING:
    from pathlib import Path


@click.command("vectorize")
@click.argument("class_map", type=path_text)
@writing("Vector file: .gpkg .geojson .geojsonl .fgb .parquet .shp .pmtiles")
@flags_of(VectorizeKeywords)
@flags_of(geoseg.PolygonOptions)
@opening
@reporting
def command(
    class_map: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of VectorizeKeywords and PolygonOptions
) -> None:
    """Turn CLASS_MAP into polygons that fit together without gaps.

    \b
    For example:
      geoseg vectorize out/landcover.tif -o tidy.gpkg --min-area 0.5ha

    No polygon is cut at a tile's edge, and neighbours share their boundary, simplified
    or not.
    """
    options = options_of(geoseg.PolygonOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        drawn = geoseg.vectorize(
            class_map, output, options=options, on_step=screen.show_step, **flags
        )
    if not quiet:
        show_polygons(drawn, as_json=as_json)
