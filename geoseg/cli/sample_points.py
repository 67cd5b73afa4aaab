"""geoseg sample-points: a map in, points to label out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.figures import show_strata
from geoseg.cli.options import reporting, spreading
from geoseg.cli.paper import show_json
from geoseg.cli.screen import Screen
from geoseg.cli.values import a_path, a_place, pairs

if TYPE_CHECKING:
    from pathlib import Path


def _numbers(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, float]:
    """Read ``name=0.8,...``."""
    try:
        return {k: float(v) for k, v in pairs(ctx, parameter, value).items()}
    except ValueError:
        raise click.BadParameter("write name=number,name=number") from None


@click.command("sample-points")
@click.argument("class_map", metavar="MAP", type=a_place)
@click.option(
    "--output", "-o", type=a_path, required=True, help="Points: .gpkg or .geojson."
)
@click.option(
    "--points",
    "-n",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="How many in all.",
)
@click.option(
    "--allocation",
    type=click.Choice(["proportional", "neyman", "equal"]),
    default="proportional",
    show_default=True,
    help="How they are shared among classes.",
)
@click.option(
    "--minimum",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Points that each class gets at least.",
)
@click.option(
    "--expected",
    metavar="CLASS=0.8,...",
    callback=_numbers,
    help="For neyman: the user's accuracy expected of each class.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Another draw."
)
@click.option(
    "--strata",
    type=a_path,
    help="Raster within whose values to draw, instead of MAP's classes.",
)
@click.option("--band", type=int, help="Band of the classes, where there are several.")
@spreading
@reporting
def command(
    class_map: str,
    output: Path,
    *,
    band: int | None,
    strata: Path | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SampleOptions
) -> None:
    """Draw points within each class of MAP, for somebody to say what is there.

    \b
    For example:
      geoseg sample-points out/landcover.tif -n 500 -o points.gpkg

    Fill in the column 'reference', then geoseg evaluate --stratified tells how good the
    map is and how much there is of each class. The map's class at each point is kept in
    a file beside the points, so that who labels does not see it. Labels that are in the
    file already are kept where their points are drawn again, else nothing is written.
    """
    options = geoseg.SampleOptions(**flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.sample_points(
            class_map,
            output,
            band=band,
            strata=strata,
            options=options,
            on_step=screen.show_step,
        )
    if as_json:
        rows = [asdict(each) for each in found]
        result = {"output": str(output), "classes": rows}
        show_json(result)
    elif not quiet:
        show_strata(found, output)
