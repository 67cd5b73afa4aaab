"""geoseg segment: a scene in, a land-cover map out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import geoseg
from geoseg.cli.options import (
    drawing,
    polygon_options,
    reporting,
    scene_flags,
    scene_options,
    segmenting,
    take_area,
)
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


@click.command("segment")
@segmenting
@scene_flags
@drawing
@reporting
def command(  # one parameter a flag
    scene: tuple[str, ...],
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SegmentOptions
) -> None:
    """Turn SCENE into a land-cover map: raster, polygons, preview and report.

    \b
    For example:
      geoseg segment scene.tif --aoi area.geojson -o out/ --format gpkg

    Several scenes, a folder, a pattern or a list of files are one mosaic.
    A run that was stopped carries on when the same command is given again.
    """
    aoi = take_area(flags)
    options = geoseg.SegmentOptions(
        scene=scene_options(flags), polygons=polygon_options(flags), **flags
    )
    with Screen(quiet=quiet, as_json=as_json) as screen:
        report = geoseg.segment(
            scene,
            output,
            aoi=aoi,
            options=options,
            on_step=screen.show_step,
        )
    screen.show_report(report)
