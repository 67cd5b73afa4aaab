"""geoseg models calibrate: confidences that are as often right as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.cards import card_of
from geoseg.cli.completion import models, path_or_url
from geoseg.cli.figures import show_reliability
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.labelled import LabelsOptions
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show_json
from geoseg.cli.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


@click.command("calibrate")
@click.argument("model", shell_complete=models)
@click.argument("scene", type=path_or_url, required=False)
@writing(
    "Folder of a new package to make.",
    required=False,
    otherwise="MODEL itself is changed",
)
@flags_of(InputFlags)
@flags_of(LabelsOptions, required=("labels",))
@flags_of(geoseg.CalibrateOptions)
@reporting
def calibrate_model(  # arguments and flags
    model: str,
    scene: str | None,
    labels: str,
    output: Path | None,
    *,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of CalibrateOptions
) -> None:
    """Fit a temperature of MODEL's scores on the labelled ground of SCENE, and keep it.

    \b
    For example:
      geoseg models calibrate my_model/ scene.tif --labels labels.gpkg
      geoseg models calibrate dynamic-world s2.tif --labels l.gpkg -o calibrated/

    Take ground that the model did not learn from. Scores are divided by the temperature
    before the softmax, so that of pixels with a confidence of 80 percent about 80
    percent are right. What is shown of each block is by the temperature of the others.
    """
    inputs = take_scene(scene, flags)
    options = options_of(geoseg.CalibrateOptions, flags)
    with Screen(quiet=quiet, as_json=as_json) as screen:
        found = geoseg.calibrate_model(
            model,
            inputs,
            labels,
            output=output,
            options=options,
            on_step=screen.show_step,
        )
    if as_json:
        show_json({**card_of(found.package), "warnings": list(found.warnings)})
    elif not quiet:
        show_reliability(found.package)
        say(f"{found.package.name} is in {found.package.path}")
