"""geoseg models inspect: how a model's network is built, and how far it looks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import models
from geoseg.cli.options import flags_of, reporting
from geoseg.cli.printing import show, show_json
from geoseg.options import InspectKeywords

if TYPE_CHECKING:
    from geoseg import Inspection, ReceptiveField


@click.command("inspect")
@click.argument("model", shell_complete=models)
@flags_of(InspectKeywords)
@reporting
def inspect_model(
    model: str, *, receptive_field: bool, quiet: bool, as_json: bool
) -> None:
    """Show how the network of MODEL, a name or a directory, is built.

    \b
    For example:
      geoseg models inspect sentinel2-landcover --receptive-field

    A tile's pixel is exactly what the whole image would give where all that it sees is
    in the tile. The receptive field, measured by sending values that are not numbers
    through the network, says which overlap that takes, or that none does.
    """
    found = geoseg.inspect_model(model, receptive_field=receptive_field)
    if as_json:
        show_json(asdict(found))
    elif not quiet:
        _show(found)


def _show(found: Inspection) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("model", escape(found.name))
    grid.add_row("network", escape(found.network))
    grid.add_row("parameters", f"{found.parameters:,}")
    grid.add_row(
        "tile", f"{found.tile} px, overlap {found.overlap}, stride {found.stride}"
    )
    if found.receptive_field:
        for name, value in _field_lines(found, found.receptive_field):
            grid.add_row(name, value)
    show(grid)


def _field_lines(found: Inspection, field: ReceptiveField) -> list[tuple[str, str]]:
    if field.radius is None:
        return [
            ("receptive field", "global: a pixel changes the output everywhere"),
            ("exact overlap", "none: every tile is a picture of its own to this model"),
        ]
    radius = f"finite: a pixel changes the output up to {field.radius} px away"
    if field.overlap is None or field.tile is None:
        exact = (
            "none: a layer looks at the plane's size (aligned corners, say), so a "
            "pixel is computed otherwise in every tile"
        )
    elif found.overlap >= field.overlap:
        exact = f"{field.overlap} px, which the model's own holds"
    else:
        cost = (field.tile / (field.tile - field.overlap)) ** 2
        exact = (
            f"{field.overlap} px: --blend crop --tile {field.tile} --overlap "
            f"{field.overlap} gives what the whole image would, for {cost:.1f} times "
            f"the pixels"
        )
    return [("receptive field", radius), ("exact overlap", exact)]
