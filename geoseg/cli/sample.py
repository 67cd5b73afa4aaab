"""geoseg sample: a scene to try every command on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

import geoseg
from geoseg.cli.options import reporting
from geoseg.cli.printing import show_json
from geoseg.cli.values import a_path

if TYPE_CHECKING:
    from pathlib import Path


@click.command("sample")
@click.argument("folder", metavar="DIR", type=a_path)
@reporting
def command(folder: Path, *, quiet: bool, as_json: bool) -> None:
    """Write the sample into DIR: a scene, labels, points and an area of interest.

    \b
    For example:
      geoseg sample s
      geoseg segment s/scene.tif --aoi s/aoi.geojson -o out/

    The files came with geoseg: nothing is downloaded. DIR/README.md says what each is,
    and under which licence. Files of the sample that are there already stay.
    """
    files = geoseg.sample(folder)
    if as_json:
        show_json({"files": [str(path) for path in files]})
    elif not quiet:
        for path in files:
            click.echo(path)
