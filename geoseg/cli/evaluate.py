"""geoseg evaluate: a map and a reference in, figures out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import rich_click as click

import geoseg
from geoseg.cli.figures import show_assessment
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.screen import Screen
from geoseg.cli.values import path_text
from geoseg.options import EvaluateKeywords, option


@dataclass(frozen=True)
class ReferenceOptions:
    """What a map is compared with."""

    HEADING: ClassVar[str] = "Where"

    reference: str | None = option(
        None, "Polygons, points or a class raster, in any CRS.", holds="path_or_url"
    )


@click.command("evaluate")
@click.argument("class_map", metavar="MAP", type=path_text)
@flags_of(ReferenceOptions, required=("reference",))
@flags_of(EvaluateKeywords)
@flags_of(geoseg.EvaluateOptions)
@opening
@reporting
def command(
    class_map: str,
    reference: str,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of EvaluateKeywords and EvaluateOptions
) -> None:
    """Measure how well MAP agrees with a reference.

    \b
    For example:
      geoseg evaluate out/landcover.tif --reference labels.gpkg -o accuracy/
      geoseg evaluate out/landcover.tif --reference points.gpkg --stratified

    Each pixel or point of the reference that lies on the map counts once; ground of
    which it says nothing is left out.
    """
    options = options_of(geoseg.EvaluateOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        assessment = geoseg.evaluate(
            class_map, reference, options=options, on_step=screen.show_step, **flags
        )
    show_assessment(assessment, quiet=quiet, as_json=as_json)
