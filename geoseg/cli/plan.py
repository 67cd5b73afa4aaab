"""geoseg plan: what a run would take, without running it."""

from __future__ import annotations

from typing import Any

import rich_click as click

import geoseg
from geoseg.cli.inputs import check_each, take_scene
from geoseg.cli.mapping import mapping, take_area
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.screen import Screen, show_forecast, show_forecasts
from geoseg.options import PlanKeywords


@click.command("plan")
@mapping(output_required=False)
@flags_of(PlanKeywords)
@opening
@reporting
def command(  # noqa: PLR0913  # one parameter a flag
    scene: tuple[str, ...],
    output: str | None,
    *,
    exact: bool,
    price: float | None,
    tile_seconds: float | None,
    each: bool,
    field: str | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SegmentOptions
) -> None:
    """Forecast what `geoseg segment` with the same arguments would take.

    \b
    For example:
      geoseg plan scene.tif --aoi area.geojson
      geoseg plan scene.tif --workers 64 --price 2.5
      geoseg plan scene.tif --workers 64 --tile-seconds 0.004

    Nothing is mapped and nothing is written; the model is timed for two seconds.
    Without -o it is not seen whether a map can be written there.
    """
    aoi, inputs = take_area(flags), take_scene(scene, flags)
    check_each(inputs, each=each, field=field)
    options = options_of(geoseg.SegmentOptions, flags)
    known: Any = {"exact": exact, "price": price, "tile_seconds": tile_seconds}
    several, expected = None, None
    with Screen(quiet=quiet, as_json=as_json) as screen:
        screen.show_step(geoseg.Step("prepare"))
        if each:
            several = geoseg.plan_each(scene, output, aoi=aoi, options=options, **known)
        else:
            expected = geoseg.plan(
                inputs, output, aoi=aoi, field=field, options=options, **known
            )
    if several is not None and not quiet:
        show_forecasts(several, as_json=as_json)
    if expected is not None and not quiet:
        show_forecast(expected, as_json=as_json)
