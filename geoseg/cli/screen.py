"""What a person sees while a job runs and when it is done."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

from rich.markup import escape
from rich.table import Table

from geoseg.cli.context import DEFAULTS, KEPT, VERBOSE, flag, leave
from geoseg.cli.log import LOG, show_log
from geoseg.cli.printing import Paper, say, show, show_json, show_line, swatch
from geoseg.cli.progress import Events, progress_on
from geoseg.cli.spelling import spelled_here
from geoseg.cli.waiting import waiting_shown
from geoseg.errors import without_signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from geoseg import Forecast, Report, Step, Vectorized

IN_WORDS = {
    "check": "checking",
    "scenes": "mapping",
    "index": "reading headers",
    "prepare": "preparing",
    "statistics": "measuring the scene",
    "measure": "measuring the receptive field",
    "whole": "in one piece",
    "look": "looking",
    "mask": "masking",
    "infer": "segmenting",
    "composite": "composing",
    "search": "searching",
    "features": "mapping features",
    "raster": "writing rasters",
    "vectorize": "drawing polygons",
    "preview": "drawing the preview",
    "page": "writing the page",
    "areas": "measuring",
    "change": "comparing",
    "relabel": "relabelling",
    "evaluate": "comparing",
    "train": "training",
    "chips": "writing chips",
    "sample": "drawing points",
    "suggest": "choosing places",
}
"""What people read for the name of a step."""


_LOG = logging.getLogger(__name__)
_MANY_BYTES = 100_000_000
"""From here on sizes are given in gigabytes."""


class Screen:
    """The terminal of one job: a progress bar, warnings, and the result.

    Progress and warnings go to standard error, so that standard output holds
    nothing but the result.
    """

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        """Choose how much to show."""
        self._quiet, self._as_json = quiet, as_json
        self._console = Paper(stderr=True, highlight=False)
        self._progress = progress_on(self._console, hidden=quiet)
        self._steps: dict[str, str] = {}
        self._warned: set[str] = set()
        self._waiting = ExitStack()

    def __enter__(self) -> Self:
        """Start to show progress, and the log where it is asked for."""
        show_log(flag(VERBOSE) or 0, as_json=isinstance(self._progress, Events))
        file, flags = flag(DEFAULTS) or ("", {})
        if flags:
            listed = ", ".join(f"{name} = {value}" for name, value in flags.items())
            self._say("note", f"geoseg: flags from {file}: {listed}")
        self._progress.start()
        if not (self._quiet or flag(VERBOSE)):  # the log has it, too
            self._waiting.enter_context(waiting_shown(self._write_event))
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Leave the bars as they are, full where the job is done."""
        self._waiting.close()
        self._progress.stop(done=error is None)

    def _write_event(self, sentence: str) -> None:
        self._say("note", f"geoseg: {without_signatures(spelled_here(sentence))}")

    def show_step(self, step: Step) -> None:
        """Show how far the job is."""
        self._warn(step.warnings)
        if step.kept:
            leave(KEPT)
        if step.dashboard:
            self._say("dashboard", f"dashboard: {step.dashboard}")
        if step.note:
            self._say("note", without_signatures(spelled_here(step.note)))
        if step.name == "scenes":  # their count; the one that it names is done with
            self._steps.pop(step.scene, None)
            self._progress.end(step.scene)
            step = replace(step, scene="")
        if step.name != self._steps.get(step.scene):
            self._begin(step)
        self._progress.advance(step)

    def _begin(self, step: Step) -> None:
        self._steps[step.scene] = step.name
        of = f"{escape(step.scene)}: " if step.scene else ""
        _LOG.info("%s%s", of, IN_WORDS[step.name])
        if step.resumed_blocks:
            done = f"{step.resumed_blocks:,} of {step.blocks:,} blocks done"
            self._say("note", f"{of}resuming: {done}")
        compiling = " (compiling first, once)" if step.compiles else ""
        self._progress.begin(of + IN_WORDS[step.name] + compiling, step)

    def _warn(self, warnings: Iterable[str]) -> None:
        """Say each warning once, as soon as it is known: a run may take hours."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                text = without_signatures(spelled_here(warning))
                LOG.warning("%s", text)
                if isinstance(self._progress, Events):
                    self._progress.write("warning", text=text)
                    continue
                line = f"geoseg: warning: {text}"
                self._console.print(line, soft_wrap=True, markup=False)

    def _say(self, event: str, text: str) -> None:
        """Say something that is no warning."""
        if isinstance(self._progress, Events):
            self._progress.write(event, text=text)
        elif not self._quiet:
            self._console.print(text, soft_wrap=True, markup=False)

    def show_report(self, report: Report) -> None:
        """Show what came out: warnings, the area of each class, the files."""
        self._warn(report.warnings)
        if self._as_json:
            show_json(report.to_json())
        elif not self._quiet:
            show(_areas(report))
            width = max(map(len, report.products))
            for name, path in report.products.items():
                show_line(f"[bold]{name:<{width}}[/] {escape(path)}")

    def show_reports(self, reports: dict[str, Report]) -> None:
        """Show what came out for each of several maps."""
        for report in reports.values():
            self._warn(report.warnings)
        if self._as_json:
            maps = {name: json.loads(each.to_json()) for name, each in reports.items()}
            show_json({"maps": maps})
        elif not self._quiet:
            show(_areas_of_all(reports))
            for report in reports.values():
                show_line(escape(str(_folder(report))))


def _folder(report: Report) -> PurePath:
    return PurePath(report.products["report"]).parent


def _areas_of_all(reports: dict[str, Report]) -> Table:
    """A row a map, a column a class: areas in hectares."""
    first = next(iter(reports.values()))
    table = Table("map", title="Land cover (ha)", title_justify="left")
    for area in first.class_areas:
        table.add_column(escape(area.name), justify="right")
    for name, report in reports.items():
        table.add_row(escape(name), *(f"{a.area_ha:,.1f}" for a in report.class_areas))
    return table


def _areas(report: Report) -> Table:
    table = Table("class", "", title="Land cover", title_justify="left")
    known: Any = (report.assessment or {}).get("classes") or {}
    more = ["a sample says (ha)"] if known else []
    for heading in ("area (ha)", "share", "confidence", *more):
        table.add_column(heading, justify="right")
    for area in report.class_areas:
        share, sure = f"{100 * area.share:.1f} %", _sureness(area.confidence)
        cells = [f"{area.area_ha:,.1f}", share, sure]
        cells += [_interval(known[area.name])] if area.name in known else []
        table.add_row(escape(area.name), swatch(area.colour), *cells)
    if report.confidence is not None:
        table.add_section()
        table.add_row("all", "", "", "", _sureness(report.confidence))
    if report.outside is not None:
        share = f"{100 * report.outside:.1f} %"
        table.add_row("unlike the training", "", "", share, "")
    return table


def _interval(known: Mapping[str, float]) -> str:
    return f"{known['estimate']:,.1f} ({known['low']:,.1f} to {known['high']:,.1f})"


def _sureness(confidence: float | None) -> str:
    return "" if confidence is None else f"{100 * confidence:.0f} %"


def show_polygons(drawn: Vectorized, *, as_json: bool) -> None:
    """Show how many polygons each class has, and where they are."""
    if not len(drawn):
        say("geoseg: warning: the map has no class anywhere", err=True)
    rows = [
        {"name": c.name, "polygons": c.polygons, "area_ha": c.area_m2 / 10_000}
        for c in drawn.classes
    ]
    merged = drawn.merged_pixels
    if as_json:
        result = {"output": str(drawn.path), "classes": rows, "merged_pixels": merged}
        show_json(result)
        return
    table = Table("class", title="Polygons", title_justify="left")
    for heading in ("polygons", "area (ha)", "pixels merged away"):
        table.add_column(heading, justify="right")
    for each in drawn.classes:
        lost, area = merged.get(each.name, 0), each.area_m2 / 10_000
        counts = (f"{each.polygons:,}", f"{area:,.1f}", f"{lost:,}")
        table.add_row(escape(each.name), *counts)
    show(table)
    show_line(escape(str(drawn.path)))


def show_forecast(forecast: Forecast, *, as_json: bool) -> None:
    """Show what a run is going to do, take and leave."""
    if as_json:
        show_json(forecast.to_json())
        return
    for warning in forecast.warnings:
        say(f"geoseg: warning: {spelled_here(warning)}", err=True)
    grid = Table.grid(padding=(0, 2))
    for name, value in _forecast_lines(forecast):
        grid.add_row(name, value)
    show(grid)


def show_forecasts(forecasts: dict[str, Forecast], *, as_json: bool) -> None:
    """Show what several runs, one after the other, are going to do, take and leave."""
    if as_json:
        maps = {name: json.loads(each.to_json()) for name, each in forecasts.items()}
        show_json({"maps": maps})
        return
    for name, each in forecasts.items():
        show_line(f"[bold]{escape(name)}[/]")
        show_forecast(each, as_json=False)
    seconds = sum(each.seconds for each in forecasts.values())
    show_line(f"all {len(forecasts)} maps take {duration(seconds)} with one process")


def _forecast_lines(forecast: Forecast) -> list[tuple[str, str]]:
    empty = "not known (no overviews; --exact reads the scene)"
    if forecast.tiles_empty is not None:
        how = "read" if forecast.tiles_empty_is_exact else "estimated from overviews"
        empty = f"{forecast.tiles_empty:,} ({how})"
    return [
        ("map", f"{forecast.map_pixels / 1e6:,.1f} of {_mpx(forecast)} Mpx"),
        ("tiles", f"{forecast.tiles:,}"),
        ("  outside the area", f"{forecast.tiles_outside:,}, skipped"),
        ("  without data", empty),
        ("blocks", f"{forecast.blocks:,} of {forecast.block_side:,} px a side"),
        ("overlap costs", f"{forecast.overlap_cost:.2f} times the pixels"),
        ("peak memory", _memory(forecast)),
        ("largest polygon", f"{_size(forecast.largest_polygon_bytes)} of it at most"),
        ("polygons wait in", f"{_size(forecast.polygons_disk_bytes)} of disk"),
        ("run directory", f"{_size(forecast.run_directory_bytes)} at most"),
        ("all rasters", f"{_size(forecast.rasters_bytes)} at most"),
        ("all vectors", f"{_size(forecast.vectors_bytes)} or so"),
        ("computes", f"{forecast.device}, {forecast.precision}: {forecast.reason}"),
        *_statistics(forecast),
        ("time", f"{duration(forecast.seconds)} with one process"),
        *(
            (f"  {name}", duration(seconds))
            for name, seconds in forecast.seconds_by_stage.items()
        ),
        *_with_workers(forecast),
    ]


def _with_workers(forecast: Forecast) -> list[tuple[str, str]]:
    """What so many workers make of it, and what they cost."""
    lines = []
    if forecast.seconds_with_workers is not None:
        took = duration(forecast.seconds_with_workers)
        text = f"{took} if each has {forecast.measured_worker}"
        lines.append((f"  {forecast.workers:,} workers", text))
    if forecast.cost is not None:
        hired = f"{max(forecast.workers, 1):,} paid by the hour for all that time"
        lines.append(("cost", f"{forecast.cost:,.2f}, {hired}"))
    return lines


def _statistics(forecast: Forecast) -> list[tuple[str, str]]:
    """What is read before, where the model is normalised by the scene itself."""
    if not forecast.statistics_bytes:
        return []
    size = _size(forecast.statistics_bytes)
    return [("first", f"the whole scene is measured, once: {size} are read")]


def _memory(forecast: Forecast) -> str:
    here, polygons = forecast.peak_memory_bytes, forecast.polygons_memory_bytes
    text = f"{_size(here)} at most, {_size(polygons)} of it for polygons"
    if forecast.worker_memory_bytes is not None:
        text += f"; {_size(forecast.worker_memory_bytes)} a worker"
    return f"{text}; {_size(forecast.free_memory_bytes)} are free"


def _size(count: int) -> str:
    """Write a number of bytes."""
    if count < _MANY_BYTES:
        return f"{count / 1e6:,.1f} MB"
    return f"{count / 1e9:,.2f} GB"


def _mpx(forecast: Forecast) -> str:
    return f"{forecast.scene_pixels / 1e6:,.1f}"


def duration(seconds: float) -> str:
    """Write how long something takes, as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours and not minutes:
        return f"{rest} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
