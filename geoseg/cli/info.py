"""geoseg info: what geoseg sees in imagery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click
from click.exceptions import Exit
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.options import flags_of, opening, options_of, reporting
from geoseg.cli.printing import say, show, show_json, show_line
from geoseg.cli.screen import Screen
from geoseg.options import InfoKeywords

if TYPE_CHECKING:
    from geoseg import ModelFit, SceneDescription


_UNFIT = 2
"""The exit status where the model asked for cannot map the scene."""


@click.command("info")
@click.argument("scene", nargs=-1, type=path_or_url)
@flags_of(InputFlags)
@flags_of(InfoKeywords)
@flags_of(geoseg.SceneOptions)
@opening
@reporting
def command(
    scene: tuple[str, ...],
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the fields of InfoKeywords and SceneOptions
) -> None:
    """Show what geoseg sees in SCENE: grid, bands, values, members, and gaps.

    \b
    For example:
      geoseg info members/ --model sentinel2-landcover --plot footprints.png

    Exit status 2 where --model does not fit.
    """
    inputs = take_scene(scene, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.info(
            inputs,
            options=options_of(geoseg.SceneOptions, flags),
            on_step=screen.show_step,
            **flags,
        )
    for warning in found.warnings:
        say(f"geoseg: warning: {warning}", err=True)
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        _show(found)
        if flags["plot"] is not None:
            show_line(escape(str(flags["plot"])))
    if found.model is not None and found.model.why_not:
        raise Exit(_UNFIT)


def _show(found: SceneDescription) -> None:
    grid = Table.grid(padding=(0, 2))
    for name, value in _facts(found):
        grid.add_row(name, escape(value))
    show(grid)
    show(_bands(found))
    if found.model is not None:
        show_line(escape(_verdict(found, found.model)))


def _bands(found: SceneDescription) -> Table:
    """List bands with their values; of many that hold no model's, the range of all."""
    table = Table("band", title="Bands", title_justify="left")
    headings = ("smallest", "largest", "mean", "deviation")[: 4 if found.exact else 2]
    for heading in headings:
        table.add_column(heading, justify="right")
    used = {} if found.model is None else {v: k for k, v in found.model.bands.items()}
    table.add_column("" if found.model is None else f"band of {found.model.model}")
    if found.components:
        of_one = [""] * (len(headings) - 2)
        table.add_row(escape(_all_named(found)), *_range(found), *of_one, "")
        return table
    for index, band in enumerate(found.bands, start=1):
        name = band.name or f"band {index}"
        figures = (band.smallest, band.largest, band.mean, band.std)[: len(headings)]
        values = map(_number, figures)
        table.add_row(escape(name), *values, escape(used.get(name, "")))
    return table


def _all_named(found: SceneDescription) -> str:
    first, last = found.bands[0].name, found.bands[-1].name
    named = f"{first} to {last}" if first and last else "without names"
    return f"all {len(found.bands)}: {named}"


def _range(found: SceneDescription) -> tuple[str, str]:
    """Write the least and the greatest value of all bands."""
    least = [each.smallest for each in found.bands if each.smallest is not None]
    most = [each.largest for each in found.bands if each.largest is not None]
    return _number(min(least, default=None)), _number(max(most, default=None))


def _facts(found: SceneDescription) -> list[tuple[str, str]]:
    about = "" if found.exact else " (estimated; --exact reads all pixels)"
    left, bottom, right, top = found.lonlat_bounds
    members = ", ".join(found.members)
    if found.files > len(found.members):
        members += f" and {found.files - len(found.members):,} more"
    nodata = "none declared" if found.nodata is None else f"{found.nodata:g}"
    return [
        ("grid", f"{found.width:,} x {found.height:,} px of {found.gsd_m:.3g} m"),
        ("CRS", found.crs),
        ("degrees", f"{left:.5f}, {bottom:.5f}, {right:.5f}, {top:.5f}"),
        ("pixels", f"{found.dtype}, nodata {nodata}"),
        *([("features", found.features)] if found.features else []),
        *([("to name", found.attribution)] if found.attribution else []),
        *([("components", _shares(found))] if found.components else []),
        *([] if found.alpha is None else [("alpha", _alpha(found.alpha))]),
        ("without data", f"{found.nodata_share:.1%}{about}"),
        ("files", f"{found.files:,}: {members}"),
        ("overlaps", f"{found.overlap_share:.1%} of the grid"),
        ("gaps", f"{found.gap_share:.1%} of the grid"),
    ]


def _shares(found: SceneDescription) -> str:
    shares = ", ".join(f"{share:.0%}" for share in found.components)
    return (
        f"three principal components hold {shares} of the variance; pictures show them"
    )


def _alpha(number: int) -> str:
    return f"band {number}, which hides pixels where it is 0; --bands reads it, too"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}"


def _verdict(found: SceneDescription, fit: ModelFit) -> str:
    if fit.why_not:
        return f"{fit.model} does not fit: {fit.why_not}"
    gsd = f"trained on {fit.model_gsd_m:g} m, the scene has {found.gsd_m:.3g} m"
    return "; ".join([f"{fit.model} fits ({gsd})", *fit.notes])
