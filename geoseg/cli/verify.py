"""geoseg verify: what tiling changes, in a window of a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.table import Table

import geoseg
from geoseg.cli.completion import models, path_or_url
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.printing import show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.options import VerifyKeywords

if TYPE_CHECKING:
    from geoseg import Verification


@click.command("verify")
@click.argument("model", shell_complete=models)
@click.argument("scene", type=path_or_url, required=False)
@flags_of(InputFlags)
@flags_of(VerifyKeywords)
@flags_of(geoseg.VerifyOptions)
@opening
@reporting
def command(
    model: str,
    scene: str | None,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of VerifyKeywords and VerifyOptions
) -> None:
    """Compare tiles of SCENE with a window in one piece, both through MODEL.

    \b
    For example:
      geoseg verify sentinel2-landcover sample_aoi/scene.tif --window 0 0 512 512

    It gives the largest difference of a probability and the share of pixels that get
    another class, for the model's overlap and, where its receptive field is finite,
    for the overlap with which nothing may differ (--blend crop).
    """
    inputs = take_scene(scene, flags)
    options = options_of(geoseg.VerifyOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.verify(
            model, inputs, options=options, on_step=screen.show_step, **flags
        )
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        _show(found)


def _show(found: Verification) -> None:
    row, col, height, width = found.window
    show_line(
        f"{found.pixels:,} pixels of rows {row}-{row + height}, columns "
        f"{col}-{col + width}; {found.device}, {found.precision}"
    )
    show_line(_reach(found))
    table = Table("tile", "overlap", "blend")
    for heading in ("largest difference", "other class", "share"):
        table.add_column(heading, justify="right")
    for each in found.agreements:
        table.add_row(
            f"{each.tile}",
            f"{each.overlap}",
            f"{each.blend}{', exact' if each.exact else ''}",
            f"{each.largest_difference:.6f}",
            f"{each.changed_pixels:,}",
            f"{100 * each.changed_share:.3f} %",
        )
    show(table)


def _reach(found: Verification) -> str:
    field = found.receptive_field
    if field is None:
        return "the receptive field of an ONNX network cannot be measured"
    if field.radius is None:
        return (
            "the receptive field is global: what a tile shows decides, "
            "and no overlap is exact"
        )
    if field.overlap is None:
        return (
            f"a pixel reaches {field.radius} px, but a pixel is computed otherwise in "
            f"planes of other sizes, and no overlap is exact"
        )
    return f"a pixel reaches {field.radius} px: {field.overlap} px of overlap are exact"
