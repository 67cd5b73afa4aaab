"""geoseg segment: a scene in, a land-cover map out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import geoseg
from geoseg.cli.options import a_path, drawing, polygon_options, reporting
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


@click.command("segment")
@click.argument("scene", type=a_path)
@click.option(
    "--output", "-o", type=a_path, required=True, help="Directory of the map."
)
@click.option("--aoi", type=a_path, help="Polygons to map no more than, in any CRS.")
@click.option(
    "--model",
    default="sentinel2-landcover",
    show_default=True,
    help="A model's name (see geoseg models) or its directory.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=("geojson",),
    show_default=True,
    help="geojson, geojsonl, gpkg, fgb, parquet, shp, pmtiles; may be repeated.",
)
@click.option("--tile", type=int, help="Tile side in pixels [default: the model's].")
@click.option("--overlap", type=int, help="Overlap in pixels [default: the model's].")
@click.option(
    "--block", type=int, help="Tiles a side of a block: memory, never the result."
)
@click.option(
    "--blend",
    type=click.Choice(["hann", "crop", "mean"]),
    default="hann",
    show_default=True,
    help="How overlapping tiles share a pixel.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="What computes.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="What it computes in.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Worker processes to start here; 0 for none but this one.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Work on this dask cluster.")
@click.option("--restart", is_flag=True, help="Throw away an unfinished run's work.")
@click.option("--keep-parts", is_flag=True, help="Keep the run directory at the end.")
@drawing
@reporting
def command(  # one parameter a flag
    scene: Path,
    output: Path,
    aoi: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SegmentOptions
) -> None:
    """Turn SCENE into a land-cover map: raster, polygons, preview and report.

    \b
    For example:
      geoseg segment scene.tif --aoi area.geojson -o out/ --format gpkg

    A run that was stopped carries on when the same command is given again.
    """
    options = geoseg.SegmentOptions(polygons=polygon_options(flags), **flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        report = geoseg.segment(
            scene,
            output,
            aoi=aoi,
            options=options,
            on_step=screen.show_step,
        )
    screen.show_report(report)
