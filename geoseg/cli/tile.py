"""geoseg tile: scenes in, chips for training elsewhere out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context
from click.core import ParameterSource
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.inputs import take_scene
from geoseg.cli.labelled import labelled
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.printing import show, show_json, show_line
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import ExportedTiles

_OF_LABELS = (
    "class_field",
    "classes",
    "line_width",
    "fold",
    "block",
    "gap",
    "validation",
)
"""What means nothing without labels."""


@click.command("tile")
@labelled(required=False, inputs=True)
@flags_of(geoseg.TileOptions)
@opening
@reporting
def command(
    scenes: tuple[str, ...],
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of TileOptions
) -> None:
    """Cut each SCENE into chips, images and masks, to train or label elsewhere.

    \b
    For example:
      geoseg tile scene.tif --labels labels.gpkg --class-field class -o chips/
      geoseg tile scene.tif --chip 512 --overlap 64 -o chips/

    Chips are GeoTIFFs on the scene's pixels, listed in chips.parquet with the part of
    the split: train, or test, in the blocks that geoseg train --fold holds out. Without
    --labels there are images alone. Inputs by name are one scene: a chip has the bands
    of all of them, in the units that their files declare. An export that was stopped
    carries on when the same command is given again.
    """
    labels, inputs = flags.pop("labels"), take_scene(scenes, flags)
    if not labels:
        _refuse_what_labels_need(get_current_context())
    options = options_of(geoseg.TileOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        exported = geoseg.tile(
            inputs,
            output,
            labels=labels or None,
            options=options,
            on_step=screen.show_step,
        )
    if as_json:
        show_json(exported.to_json())
    elif not quiet:
        _show(exported)


def _refuse_what_labels_need(ctx: click.Context) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in _OF_LABELS
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)} needs --labels")


def _show(exported: ExportedTiles) -> None:
    table = Table("", title="Chips", title_justify="left")
    for part in exported.chips:
        table.add_column(part, justify="right")
    table.add_row("chips", *(f"{count:,}" for count in exported.chips.values()))
    for each in exported.classes:
        pixels = (f"{count:,} px" for count in each["pixels"].values())
        table.add_row(escape(each["name"]), *pixels)
    show(table)
    show_line(escape(exported.output))
