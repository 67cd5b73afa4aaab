"""geoseg live: a map that follows its labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import rich_click as click

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.context import KEPT, leave
from geoseg.cli.inputs import InputFlags, take_scene
from geoseg.cli.labelled import LabelsOptions
from geoseg.cli.options import flags_of, options_of, reporting, writing
from geoseg.cli.printing import say, show_json
from geoseg.options import LiveKeywords

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg import LiveMap, Step, Trained


_FIGURE = re.compile(r"\d+\.\d+")
"""A measurement, which is another at each save; counts are whole."""


@click.command("live")
@click.argument("scene", type=path_or_url, required=False)
@flags_of(InputFlags)
@flags_of(LabelsOptions, required=("labels",))
@flags_of(LiveKeywords)
@writing("Folder for map and model.")
@flags_of(geoseg.LiveOptions)
@reporting
def command(
    scene: str | None,
    labels: str,
    output: Path,
    *,
    aoi: str | None,
    quiet: bool,
    as_json: bool,
    **flags: Any,  # noqa: ANN401  # the flags are the fields of LiveOptions
) -> None:
    """Map SCENE by a few labels, and again each time that these are saved.

    \b
    For example:
      geoseg live scene.tif --labels points.gpkg --aoi area.gpkg -o live/

    Open live/landcover.tif and the labels in QGIS; click, save, look. Labels that make
    no model are reported, and the last map stays. Ctrl-C ends it.
    """
    inputs = take_scene(scene, flags)
    reporter = _Reporter(quiet=quiet, as_json=as_json)
    if not quiet:
        say(f"watching {labels}; Ctrl-C ends it", err=True)
    geoseg.live(
        inputs,
        labels,
        output,
        aoi=aoi,
        options=options_of(geoseg.LiveOptions, flags),
        on_map=reporter.report,
        on_step=reporter.warn,
    )


class _Reporter:
    """What says a line for each map, and each warning once."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        self._quiet, self._as_json = quiet, as_json
        self._warned: set[str] = set()

    def warn(self, step: Step) -> None:
        """Say warnings that were not said before, if with other figures."""
        for warning in step.warnings:
            known = _FIGURE.sub("", warning)
            if known not in self._warned:
                say(f"geoseg: warning: {warning}", err=True)
            self._warned.add(known)

    def report(self, made: LiveMap) -> None:
        """Say what came of a save."""
        if made.trained is not None:
            leave(KEPT)
        if made.refusal:
            say(f"geoseg: {made.refusal}; the last map stays", err=True)
        if self._as_json:
            show_json(_as_json(made))
        elif made.trained is not None and not self._quiet:
            say(_line(made, made.trained))


def _line(made: LiveMap, trained: Trained) -> str:
    counts = ", ".join(f"{each.name} {each.training:,}" for each in trained.labelled)
    return (
        f"map {made.number} in {made.seconds:.1f} s: {counts} labelled pixels; "
        f"{trained.accuracy.overall:.2f} right where ground is held out"
    )


def _as_json(made: LiveMap) -> dict[str, object]:
    trained, report = made.trained, made.report
    return {
        "map": made.number,
        "seconds": round(made.seconds, 3),
        "refusal": made.refusal or None,
        "held_out": None if trained is None else trained.figures(),
        "products": {} if report is None else dict(report.products),
    }
