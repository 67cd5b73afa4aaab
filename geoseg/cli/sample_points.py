"""geoseg sample-points: a map in, points to label out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.figures import show_strata
from geoseg.cli.options import flags_of, opening, options_of, reporting, writing
from geoseg.cli.printing import show_json
from geoseg.cli.screen import Screen
from geoseg.cli.values import path_text
from geoseg.options import SampleKeywords

if TYPE_CHECKING:
    from pathlib import Path


@click.command("sample-points")
@click.argument("class_map", metavar="MAP", type=path_text)
@writing("Points: .gpkg or .geojson.")
@flags_of(SampleKeywords)
@flags_of(geoseg.SampleOptions)
@opening
@reporting
def command(
    class_map: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of SampleKeywords and SampleOptions
) -> None:
    """Draw points within each class of MAP, for somebody to say what is there.

    \b
    For example:
      geoseg sample-points out/landcover.tif -n 500 -o points.gpkg

    Fill in the column 'reference', then geoseg evaluate --stratified says how good the
    map is and how much there is of each class. The map's class at each point is kept in
    a file beside the points, so that who labels does not see it. Labels that are in the
    file already are kept where their points are drawn again, else nothing is written.
    """
    options = options_of(geoseg.SampleOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.sample_points(
            class_map, output, options=options, on_step=screen.show_step, **flags
        )
    if as_json:
        rows = [asdict(each) for each in found]
        result = {"output": str(output), "classes": rows}
        show_json(result)
    elif not quiet:
        show_strata(found, output)
