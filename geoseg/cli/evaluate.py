"""geoseg evaluate: a map and a reference in, figures out."""

from __future__ import annotations

from typing import Any

import rich_click as click

import geoseg
from geoseg.cli.completion import fields
from geoseg.cli.figures import show_assessment
from geoseg.cli.options import (
    overwriting,
    reporting,
    spreading,
)
from geoseg.cli.screen import Screen
from geoseg.cli.values import a_path, a_place, pairs


@click.command("evaluate")
@click.argument("class_map", metavar="MAP", type=a_place)
@click.option(
    "--reference",
    type=a_place,
    required=True,
    help="Polygons, points or a class raster, in any CRS.",
)
@click.option(
    "--class-field",
    "column",
    shell_complete=fields,
    help="The reference's column of classes [default: class, or reference].",
)
@click.option(
    "--mapping",
    metavar="REFERENCE=MAP,...",
    callback=pairs,
    help="The map's class for the reference's; 'road=' leaves one out.",
)
@click.option(
    "--within",
    type=a_path,
    help="Compare in these polygons only.",
)
@click.option(
    "--held-out",
    metavar="FOLD/5",
    help="Compare in a training's held-out blocks only, such as 0/5.",
)
@click.option(
    "--held-out-block",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Side of those blocks in pixels.",
)
@click.option(
    "--stratified",
    is_flag=True,
    help="Estimate areas and accuracies from points of geoseg sample-points.",
)
@click.option(
    "--strata",
    type=a_path,
    help="Raster within whose values the points were drawn [default: MAP's classes].",
)
@click.option(
    "--boundary-tolerance",
    default="2px",
    show_default=True,
    help="How far apart boundaries may be and agree: 2px, 20m.",
)
@click.option(
    "--confidence",
    type=a_place,
    help="Raster of confidences in percent [default: confidence.tif beside MAP].",
)
@click.option(
    "--output", "-o", type=a_path, help="Directory for accuracy.json and confusion.png."
)
@click.option("--band", type=int, help="Band of the classes, where there are several.")
@overwriting
@spreading
@reporting
def command(
    class_map: str,
    reference: str,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # evaluate's arguments and EvaluateOptions' fields
) -> None:
    """Measure how well MAP agrees with a reference.

    \b
    For example:
      geoseg evaluate out/landcover.tif --reference labels.gpkg -o accuracy/
      geoseg evaluate out/landcover.tif --reference points.gpkg --stratified

    Each pixel or point of the reference that lies on the map counts once; ground of
    which it says nothing is left out.
    """
    names = ("band", "confidence", "output", "overwrite", "strata", "within")
    given = {name: flags.pop(name) for name in names}
    options = geoseg.EvaluateOptions(**flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        assessment = geoseg.evaluate(
            class_map, reference, options=options, on_step=screen.show_step, **given
        )
    show_assessment(assessment, quiet=quiet, as_json=as_json)
