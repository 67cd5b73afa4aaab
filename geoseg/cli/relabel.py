"""geoseg relabel: a map in, the same map in another legend out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.options import flags_of, opening, options_of, reporting, writing
from geoseg.cli.printing import show, show_json, show_line, swatch
from geoseg.cli.screen import Screen
from geoseg.cli.values import path_text
from geoseg.options import RelabelKeywords

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Relabelled


@click.command("relabel")
@click.argument("class_map", metavar="MAP", type=path_text)
@writing("GeoTIFF; style and polygons are beside it.")
@flags_of(RelabelKeywords, required=("legend",))
@flags_of(geoseg.RelabelOptions)
@opening
@reporting
def command(
    class_map: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of RelabelKeywords and RelabelOptions
) -> None:
    """Write MAP in another legend: classes merged, renamed, recoloured, renumbered.

    \b
    For example:
      geoseg relabel out/landcover.tif --legend ipcc -o ipcc.tif --format gpkg
      geoseg relabel out/landcover.tif --legend office.yaml -o office.tif

    Classes are matched by name. What has no counterpart becomes nodata, and is named.
    """
    options = options_of(geoseg.RelabelOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.relabel(
            class_map, output, options=options, on_step=screen.show_step, **flags
        )
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        show(_areas(found))
        for path in found.products.values():
            show_line(escape(path))


def _areas(found: Relabelled) -> Table:
    """List what there is of each class, and what was lost."""
    table = Table("class", "", title="Land cover", title_justify="left")
    table.add_column("area (ha)", justify="right")
    for each in found.class_areas:
        table.add_row(escape(each.name), swatch(each.colour), f"{each.area_ha:,.1f}")
    if found.lost:
        table.add_section()
    for each in found.lost:
        table.add_row(
            f"no counterpart: {escape(each.name)}", "", f"{each.area_ha:,.1f}"
        )
    return table
