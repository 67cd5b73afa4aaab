"""geoseg segment: a scene in, a land-cover map out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import rich_click as click

import geoseg
from geoseg.cli.context import DEFAULTS, flag
from geoseg.cli.inputs import check_each, take_scene
from geoseg.cli.mapping import mapping, take_area
from geoseg.cli.options import opening, options_of, reporting
from geoseg.cli.screen import Screen
from geoseg.cli.searching import searching, take_search
from geoseg.errors import InputError
from geoseg.fork_server import TO_MAP, begin


@click.command("segment")
@mapping(output_required=True)
@searching
@opening
@reporting
def command(  # one parameter a flag
    scene: tuple[str, ...],
    output: str,
    *,
    each: bool,
    field: str | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SegmentOptions
) -> None:
    """Turn SCENE into a land-cover map: raster, polygons, preview and report.

    \b
    For example:
      geoseg segment scene.tif --aoi area.geojson -o out/ --format gpkg
      geoseg segment --search earth-search --collection sentinel-2-l2a
        --datetime 2024-05/2024-09 --aoi area.geojson --allow-external-references
        --mask scl:cloud,shadow,cirrus --mosaic median --resolution 10 -o out/

    SCENE is a raster of any format, a STAC item, a Sentinel-2 product or a URL.
    Several, a folder, a pattern or a list of files are one mosaic; with --each
    every scene has a map of its own in OUTPUT/SCENE, and with --per-feature every
    feature of the AOI has one in OUTPUT/FEATURE.
    A model of several inputs takes each by its name: --input s2=items.json
    --input dem=dem.tif.
    A run that was stopped carries on when the same command is given again.
    """
    aoi, inputs = take_area(flags), take_search(take_scene(scene, flags), flags)
    file, _ = flag(DEFAULTS) or (None, {})
    options = replace(options_of(geoseg.SegmentOptions, flags), defaults_file=file)
    begin(TO_MAP, options)  # before this process imports what a job needs
    check_each(inputs, each=each, field=field)
    if each and isinstance(inputs, geoseg.Search):
        raise InputError(
            "--each maps scenes by themselves, and --search finds one of many dates; "
            "leave out --each, or keep the items with geoseg search"
        )
    if field is not None and aoi is None:
        raise InputError("--per-feature needs the features of an --aoi")
    with Screen(quiet=quiet, as_json=as_json) as screen:
        screen.show_step(geoseg.Step("prepare"))
        show, reports, report = screen.show_step, None, None
        if aoi is not None and field is not None:
            reports = geoseg.segment_features(
                inputs, output, aoi=aoi, field=field, options=options, on_step=show
            )
        elif each:
            reports = geoseg.segment_each(
                scene, output, aoi=aoi, options=options, on_step=show
            )
        else:
            report = geoseg.segment(
                inputs, output, aoi=aoi, options=options, on_step=show
            )
    if reports is not None:
        screen.show_reports(reports)
    if report is not None:
        screen.show_report(report)
