"""geoseg areas: a map and zones in, hectares of each class in each zone out."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.options import flags_of, opening, reporting
from geoseg.cli.printing import say, show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.cli.values import path_text
from geoseg.errors import counted
from geoseg.options import AreasKeywords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geoseg import ZoneAreas, ZoneClass

_SHOWN = 20
"""Zones that a terminal shows; a file has all."""
_LARGEST = 3
"""Classes of a zone that it shows of many."""


@click.command("areas")
@click.argument("class_map", metavar="MAP", type=path_text)
@flags_of(AreasKeywords)
@opening
@reporting
def command(
    class_map: str,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of AreasKeywords
) -> None:
    """Measure how much of each class of MAP lies in each of some zones.

    \b
    For example:
      geoseg areas out/landcover.tif --zones districts.gpkg --by name -o areas.csv

    Hectares are those on the ground, whatever the map's CRS. A pixel on a zone's edge
    counts with the exact share of it that lies in the zone; zones may overlap.
    """
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.areas(class_map, on_step=screen.show_step, **flags)
    for warning in found.warnings:
        say(f"geoseg: warning: {warning}", err=True)
    if as_json:
        show_json(asdict(found))
    elif not quiet:
        _show(found)


def _show(found: ZoneAreas) -> None:
    """Show each class of a single zone; of many, the classes that cover most."""
    zones = [(name, list(rows)) for name, rows in groupby(found.rows, _zone)]
    if len(zones) == 1:
        show(_classes(*zones[0]))
    else:
        show(_largest(zones[:_SHOWN]))
    if len(zones) > _SHOWN:
        more = f"and {counted(len(zones) - _SHOWN, 'more zone')}"
        where = "" if found.output else "; write them all with -o areas.csv"
        show_line(f"{more}{where}")
    elif len(zones) > 1 and not found.output and _estimated(found.rows):
        show_line("write what the sample says of each zone with -o areas.csv")
    if found.output:
        show_line(escape(found.output))


def _estimated(rows: Iterable[ZoneClass]) -> bool:
    return any(row.estimate_ha is not None for row in rows)


def _zone(row: ZoneClass) -> str:
    return row.zone


def _classes(name: str, rows: Iterable[ZoneClass]) -> Table:
    rows = list(rows)
    estimated = _estimated(rows)
    table = Table("class", title=escape(name), title_justify="left")
    headings = (
        "ha",
        "share (%)",
        "mean confidence (%)",
        *(["estimated (ha)"] * estimated),
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        cells = [f"{row.area_ha:,.2f}", _percent(row.share), _percent(row.confidence)]
        table.add_row(escape(row.class_name), *cells, *([_interval(row)] * estimated))
    return table


def _largest(zones: Iterable[tuple[str, list[ZoneClass]]]) -> Table:
    table = Table("zone")
    table.add_column("ha", justify="right")
    table.add_column("mean confidence (%)", justify="right")
    table.add_column("most of it (%)")
    for name, rows in zones:
        whole = sum(row.area_ha for row in rows)
        sure = [row for row in rows if row.confidence is not None]
        weight = sum(row.area_ha for row in sure)
        mean = None
        if weight:
            mean = sum(row.area_ha * (row.confidence or 0) for row in sure) / weight
        first = sorted(rows, key=lambda row: -row.area_ha)[:_LARGEST]
        most = ", ".join(
            f"{row.class_name} {_percent(row.share)}" for row in first if row.area_ha
        )
        table.add_row(escape(name), f"{whole:,.1f}", _percent(mean), escape(most))
    return table


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _interval(row: ZoneClass) -> str:
    if row.estimate_ha is None:
        return row.note
    return f"{row.estimate_ha:,.1f} ({row.low_ha:,.1f} to {row.high_ha:,.1f})"
