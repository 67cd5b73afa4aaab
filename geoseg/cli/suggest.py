"""geoseg suggest: a scene and a model in, places worth a label out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.mapping import AreaOptions, take_area
from geoseg.cli.options import flags_of, opening, options_of, reporting, writing
from geoseg.cli.printing import show, show_json, show_line
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Suggested


@click.command("suggest")
@click.argument("scene", nargs=-1, type=path_or_url)
@writing("Points: a .gpkg.")
@flags_of(InputFlags)
@flags_of(AreaOptions)
@flags_of(geoseg.SuggestOptions)
@opening
@reporting
def command(
    scene: tuple[str, ...],
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of SuggestOptions
) -> None:
    """Suggest places of SCENE whose labels would teach a model most.

    \b
    For example:
      geoseg suggest scene.tif --model my_model/ --labels points.gpkg -o next.gpkg

    They are uncertain, unlike what is labelled, apart from each other, and of every
    class that the model sees. Fill in the column 'class' (in QGIS, say), then the file
    is labels: geoseg train scene.tif --labels next.gpkg. A call that was stopped
    carries on when the same command is given again.
    """
    area, inputs = take_area(flags), take_scene(scene, flags)
    options = options_of(geoseg.SuggestOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.suggest(
            inputs, output, aoi=area, options=options, on_step=screen.show_step
        )
    if as_json:
        show_json({**asdict(found), "output": str(found.output)})
    elif not quiet:
        _show(found)


def _show(found: Suggested) -> None:
    table = Table("predicted", title="Places to label", title_justify="left")
    table.add_column("places", justify="right")
    for name, count in found.classes.items():
        table.add_row(escape(name), f"{count:,}")
    show(table)
    show_line(f"{escape(str(found.output))}: fill in its column 'class'")
