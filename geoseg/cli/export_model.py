"""geoseg models export: a model as an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.completion import models
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show_json
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


@click.command("export")
@click.argument("model", shell_complete=models)
@writing("ONNX file to make.")
@flags_of(InputFlags)
@flags_of(geoseg.ExportOptions)
@reporting
def export_model(
    model: str,
    output: Path,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of ExportOptions
) -> None:
    """Write MODEL as an ONNX file, proven to give the same classes.

    \b
    For example:
      geoseg models export my_model/ -o model.onnx
      geoseg models export my_model/ -o model.onnx --for deepness --int8

    It takes normalised tiles and gives a probability a class; its metadata say how
    pixels are normalised. It is written only where ONNX Runtime gives the model's
    class on 99.99 percent of a scene's pixels, or with --int8 on 99 percent.
    """
    flags["scene"] = take_scene(flags["scene"], flags) or None
    options = options_of(geoseg.ExportOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        made = geoseg.export_model(
            model, output, options=options, on_step=screen.show_step
        )
    if as_json:
        show_json(made.to_json())
    elif not quiet:
        say(f"{made.path}, {made.size / 1e6:.1f} MB")
        say(
            f"the same class on {made.equal:.4%} of {made.pixels:,} pixels of "
            f"{made.scene}, largest difference of a probability "
            f"{made.largest_difference:.6f}"
        )
        if made.faster is not None:
            say(f"int8 took 1/{made.faster:.2f} of float32's time here")
