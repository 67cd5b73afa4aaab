"""geoseg vectorize: a class map in, polygons out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.completion import legends
from geoseg.cli.options import (
    flags_of,
    options_of,
    overwriting,
    reporting,
)
from geoseg.cli.screen import Screen, show_polygons
from geoseg.cli.values import a_path, a_place

if TYPE_CHECKING:
    from pathlib import Path


@click.command("vectorize")
@click.argument("class_map", type=a_place)
@click.option(
    "--output",
    "-o",
    type=a_path,
    required=True,
    help="Vector file: .gpkg .geojson .geojsonl .fgb .parquet .shp .pmtiles",
    panel="Where",
)
@click.option(
    "--band",
    type=int,
    help="Band of the classes, where there are several.",
    panel="Where",
)
@click.option(
    "--confidence",
    type=a_place,
    help="Raster of confidences in percent.",
    panel="Where",
)
@click.option(
    "--clip",
    "clip_to",
    type=a_path,
    help="Cut to these polygons exactly.",
    panel="Where",
)
@click.option(
    "--write-raster",
    "raster",
    type=a_path,
    help="The map with small patches merged.",
    panel="Where",
)
@click.option(
    "--layer",
    help="Write this layer of a GeoPackage; its other layers stay.",
    panel="Where",
)
@click.option(
    "--legend",
    metavar="FILE|NAME",
    shell_complete=legends,
    help="Draw it in this legend, as geoseg relabel takes it.",
    panel="Where",
)
@overwriting
@flags_of(geoseg.PolygonOptions)
@reporting
def command(
    class_map: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # vectorize's arguments and PolygonOptions' fields
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
        frame = geoseg.vectorize(
            class_map, output, options=options, on_step=screen.show_step, **flags
        )
    if not quiet:
        show_polygons(frame, output, as_json=as_json)
