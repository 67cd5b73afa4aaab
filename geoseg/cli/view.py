"""geoseg view: a folder's page in a browser, its map at full resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.options import flags_of, reporting
from geoseg.cli.printing import say
from geoseg.cli.values import a_path
from geoseg.options import ViewKeywords

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import Step


@click.command("view")
@click.argument("folder", type=a_path)
@flags_of(ViewKeywords)
@reporting
def command(
    folder: Path,
    *,
    quiet: bool,
    as_json: bool,  # noqa: ARG001  # there is nothing to report at the end
    **flags: Any,  # noqa: ANN401  # the fields of ViewKeywords
) -> None:
    """Show the report.html of FOLDER in a browser, its map at full resolution.

    \b
    For example:
      geoseg view out/ --image scene.tif

    Open the address that it prints. It is for this machine alone, serves that folder's
    page and map, the image that was named and no other file, and ends with Ctrl-C.
    """

    def show(step: Step) -> None:
        for text in (*step.warnings, step.note):
            if text and not quiet:
                say(f"geoseg: {text}", err=True)

    geoseg.view(folder, on_step=show, **flags)
