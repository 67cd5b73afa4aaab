"""geoseg change: two maps in, what became of what out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.options import (
    flags_of,
    opening,
    options_of,
    reporting,
    writing,
)
from geoseg.cli.printing import say, show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.cli.values import path_text
from geoseg.options import ChangeKeywords

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Change

_SHOWN = 15
"""Transitions that a terminal shows; a file has all."""


@click.command("change")
@click.argument("before", type=path_text)
@click.argument("after", type=path_text)
@writing("Directory to write.")
@flags_of(ChangeKeywords)
@flags_of(geoseg.ChangeOptions)
@opening
@reporting
def command(
    before: str,
    after: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of ChangeKeywords and ChangeOptions
) -> None:
    """Say what became of what between two maps of one ground.

    \b
    For example:
      geoseg change 2020/landcover.tif 2025/landcover.tif -o change/

    change.tif shows each transition in a colour, change.csv has the matrix in hectares,
    and the polygons are the ground that changed. Draw a sample within the transitions
    (geoseg sample-points change/) to say how much there is of each.
    """
    options = options_of(geoseg.ChangeOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.change(
            before,
            after,
            output,
            options=options,
            on_step=screen.show_step,
            **flags,
        )
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        show(_gains(found))
        show(_transitions(found))
        if found.doubtful_ha:
            show_line(f"left out as too unsure: {found.doubtful_ha:,.1f} ha")
        say(f"geoseg: {found.note}", err=True)
        for path in found.products.values():
            show_line(escape(path))


def _gains(found: Change) -> Table:
    """List what each class lost and gained."""
    table = Table("class")
    for heading in ("before (ha)", "lost (ha)", "gained (ha)", "after (ha)"):
        table.add_column(heading, justify="right")
    for index, name in enumerate(found.classes):
        same = found.hectares[index][index]
        was = sum(found.hectares[index])
        now = sum(row[index] for row in found.hectares)
        if was or now:
            figures = (was, was - same, now - same, now)
            table.add_row(escape(name), *(f"{each:,.1f}" for each in figures))
    return table


def _transitions(found: Change) -> Table:
    """List the transitions that cover most."""
    pairs = [
        (area, f"{was} to {now}")
        for was, row in zip(found.classes, found.hectares, strict=True)
        for now, area in zip(found.classes, row, strict=True)
        if area and was != now
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1]))
    table = Table("changed")
    table.add_column("ha", justify="right")
    for area, name in pairs[:_SHOWN]:
        table.add_row(escape(name), f"{area:,.1f}")
    if len(pairs) > _SHOWN:
        rest = sum(area for area, _ in pairs[_SHOWN:])
        table.add_row(f"{len(pairs) - _SHOWN} more", f"{rest:,.1f}")
    return table
