"""geoseg composite: many dates in, one cloudless image out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.mapping import AreaOptions, take_area
from geoseg.cli.options import flags_of, opening, options_of, reporting, writing
from geoseg.cli.printing import show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.cli.searching import searching, take_search
from geoseg.fork_server import TO_COMPOSE, begin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg import CompositeReport


@click.command("composite")
@click.argument("scene", nargs=-1, type=path_or_url)
@writing(
    "The GeoTIFF; with --period its name gets that of each.",
    metavar="FILE.tif",
    holds="path_or_url",
)
@flags_of(AreaOptions)
@flags_of(geoseg.CompositeOptions, mosaic="median")
@searching
@opening
@reporting
def command(
    scene: tuple[str, ...],
    output: str,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of CompositeOptions
) -> None:
    """Make one image of the clear pixels of all dates of SCENE.

    \b
    For example:
      geoseg composite items.json --mask scl:cloud,shadow,cirrus -o summer.tif
      geoseg composite --search earth-search --collection sentinel-2-l2a
        --datetime 2024-06/2024-08 --aoi area.geojson --allow-external-references
        --mask scl:cloud,shadow,cirrus --resolution 10 -o summer.tif

    SCENE is what geoseg segment takes: files, folders, STAC items, URLs. Beside the
    image stand how many dates are clear at each pixel (_count.tif), which date each
    pixel is of where it is one's (_date.tif), and what it was made of (.json).
    One that was stopped carries on when the same command is given again.
    """
    aoi = take_area(flags)
    image = take_search(scene, flags)
    options = options_of(geoseg.CompositeOptions, flags)
    begin(TO_COMPOSE, options)  # before this process imports what a job needs
    with Screen(quiet=quiet, as_json=as_json) as screen:
        made = geoseg.composite(
            image, output, aoi=aoi, options=options, on_step=screen.show_step
        )
    if as_json:
        show_json({"composites": [json.loads(each.to_json()) for each in made]})
    elif not quiet:
        show(_table(made))
        for each in made:
            for path in (each.composite, each.counts, each.dates):
                if path is not None:
                    show_line(escape(path))


def _table(made: Sequence[CompositeReport]) -> Table:
    """A row a composite: its dates, and how much of it is clear."""
    table = Table("composite", title="Composites", title_justify="left")
    for heading in ("first", "last", "dates", "clear", "clear dates a pixel"):
        table.add_column(heading, justify="right")
    for each in made:
        days = sorted(str(look["day"]) for look in each.looks if look["day"])
        ends = (days[0], days[-1]) if days else ("", "")
        sums = sum(number * count for number, count in enumerate(each.clear_counts))
        table.add_row(
            escape(each.composite.replace("\\", "/").rpartition("/")[2]),
            *ends,
            str(len(each.looks)),
            f"{100 * each.clear_share:.1f} %",
            f"{sums / max(each.pixels, 1):.1f}",
        )
    return table
