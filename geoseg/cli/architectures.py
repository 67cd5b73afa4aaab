"""geoseg models architectures: what networks there are, how large, what they need."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.options import flags_of, reporting
from geoseg.cli.printing import show, show_json
from geoseg.options import ArchitecturesKeywords

if TYPE_CHECKING:
    from geoseg import Surveyed


@click.command("architectures")
@flags_of(ArchitecturesKeywords)
@reporting
def list_architectures(
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of ArchitecturesKeywords
) -> None:
    """List the architectures that a model package may hold.

    \b
    For example:
      geoseg models architectures --encoder efficientnet-b4 --bands 10 --classes 8

    The field is how far, in pixels, a change of the input can reach in the output;
    global where it reaches everywhere in a tile. Tiles are multiples of the stride.
    """
    found = geoseg.list_architectures(**flags)
    if as_json:
        show_json([_plain(each) for each in found])
    elif not quiet:
        _show(found)


def _plain(each: Surveyed) -> dict[str, object]:
    line = asdict(each.architecture)
    shown = {name: line[name] for name in ("paper", "encoders", "smallest_tile")}
    return {**asdict(each), "architecture": each.architecture.name, **shown}


def _show(found: list[Surveyed]) -> None:
    table = Table(box=None, pad_edge=False)
    heads = ("architecture", "encoder", "parameters", "field", "stride", "tile from")
    for head in heads:
        right = head not in {"architecture", "encoder"}
        table.add_column(head, justify="right" if right else "left", no_wrap=True)
    for each in found:
        name = each.architecture.name
        if each.refusal:
            table.add_row(name, "does not take it")
            continue
        table.add_row(
            name,
            escape(each.encoder),
            f"{each.parameters / 1e6:.1f} M",
            _field(each),
            str(each.stride),
            str(max(each.architecture.smallest_tile, each.stride)),
        )
    show(table)


def _field(each: Surveyed) -> str:
    if not each.field_is_known:
        return "?"
    return "global" if each.radius is None else f"{each.radius} px"
