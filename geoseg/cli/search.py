"""geoseg search: a place and a time in, items out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.mapping import AreaOptions, take_area
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.errors import counted
from geoseg.options import SearchKeywords

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Found


@click.command("search")
@click.argument("catalogue")
@writing("The file for the items: a scene of every command.", metavar="items.json")
@flags_of(AreaOptions)
@flags_of(SearchKeywords)
@flags_of(geoseg.SearchOptions)
@reporting
def command(
    catalogue: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of SearchKeywords and SearchOptions
) -> None:
    """Find imagery of a place and a time in CATALOGUE, and keep the items.

    \b
    For example:
      geoseg search earth-search --collection sentinel-2-l2a --bbox 13,52,13.4,52.3
        --datetime 2024-05/2024-09 --max-cloud 30 -o items.json

    CATALOGUE is earth-search, planetary-computer, cdse, or the address of a STAC API.
    No imagery is read. Where a catalogue's files lie on other servers, the commands
    that read items.json want --allow-external-references.
    """
    aoi = take_area(flags)
    options = options_of(geoseg.SearchOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.search(
            catalogue,
            output,
            aoi=aoi,
            options=options,
            on_step=screen.show_step,
            **flags,
        )
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        show(_table(found))
        items, days = counted(found.items, "item"), counted(len(found.days), "day")
        say(f"geoseg: {items} of {days}", err=True)
        show_line(escape(found.output))


def _table(found: Found) -> Table:
    """A row a day: how cloudy, how much of the area, how many tiles."""
    table = Table("day")
    for heading in ("cloud", "of the area", "tiles"):
        table.add_column(heading, justify="right")
    for each in found.days:
        table.add_row(
            escape(each.day),
            "" if each.cloud is None else f"{each.cloud:.0f} %",
            "" if each.covered is None else f"{100 * each.covered:.0f} %",
            str(len(each.items)),
        )
    return table
