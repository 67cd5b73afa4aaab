"""What a person sees while a job runs and when it is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from geopandas import GeoDataFrame
    from rich.progress import Task

    from geoseg import Forecast, Report, Step

_WORDS = {
    "index": "reading headers",
    "prepare": "preparing",
    "measure": "measuring the receptive field",
    "whole": "in one piece",
    "infer": "segmenting",
    "raster": "writing rasters",
    "vectorize": "drawing polygons",
    "preview": "drawing the preview",
    "evaluate": "comparing",
    "sample": "drawing points",
}


class _Rate(ProgressColumn):
    """Tiles per second."""

    def render(self, task: Task) -> Text:
        """Write the rate, once there is one."""
        speed = task.finished_speed or task.speed
        if not task.fields["counted"] or speed is None:
            return Text("")
        return Text(f"{speed:.1f} tiles/s", style="progress.data.speed")


class _Count(ProgressColumn):
    """Tiles done of all."""

    def render(self, task: Task) -> Text:
        """Write the count, where there is one."""
        if not task.fields["counted"]:
            return Text("")
        return Text(f"{task.completed:,.0f}/{task.total:,.0f} tiles")


class Screen:
    """The terminal of one job: a progress bar, warnings, and the result.

    Progress and warnings go to standard error, so that standard output holds
    nothing but the result.
    """

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        """Choose how much to show."""
        self._quiet, self._as_json = quiet, as_json
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            _Count(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=False,
        )
        self._step = ""
        self._warned: set[str] = set()
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Start to show progress."""
        self._progress.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Leave the bars as they are, full where the job is done."""
        if error is None:
            self._fill_bar()
        self._progress.stop()

    def show_step(self, step: Step) -> None:
        """Show how far the job is."""
        self._warn(step.warnings)
        if step.dashboard and not self._quiet:
            self._console.print(f"dashboard: {step.dashboard}", soft_wrap=True)
        if step.name != self._step:
            self._begin(step)
        if self._task is not None and step.total:
            self._progress.update(self._task, completed=step.done)

    def _begin(self, step: Step) -> None:
        self._fill_bar()
        self._step = step.name
        if step.resumed_blocks and not self._quiet:
            self._console.print(
                f"resuming: {step.resumed_blocks:,} of {step.blocks:,} blocks done"
            )
        self._task = self._progress.add_task(
            _WORDS[step.name] + (" (compiling first, once)" if step.compiles else ""),
            total=step.total or None,
            completed=step.done,
            counted=step.total > 0,
        )

    def _warn(self, warnings: Iterable[str]) -> None:
        """Say each warning once, as soon as it is known: a run may take hours."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._console.print(
                    f"geoseg: warning: {warning}", soft_wrap=True, markup=False
                )

    def _fill_bar(self) -> None:
        if self._task is not None:
            task = next(t for t in self._progress.tasks if t.id == self._task)
            total = task.total or 1
            self._progress.update(self._task, total=total, completed=total)

    def show_report(self, report: Report) -> None:
        """Show what came out: warnings, the area of each class, the files."""
        self._warn(report.warnings)
        if self._as_json:
            click.echo(report.to_json())
        elif not self._quiet:
            console = Console(highlight=False)
            console.print(_areas(report))
            for name, path in report.products.items():
                console.print(f"[bold]{name:<11}[/] {escape(path)}", soft_wrap=True)


def _areas(report: Report) -> Table:
    table = Table("class", "", title="Land cover", title_justify="left")
    for heading in ("area (ha)", "share"):
        table.add_column(heading, justify="right")
    for area in report.class_areas:
        swatch = Text("██", style=area.colour)
        share = f"{100 * area.share:.1f} %"
        table.add_row(escape(area.name), swatch, f"{area.area_ha:,.1f}", share)
    return table


def show_polygons(frame: GeoDataFrame, output: Path, *, as_json: bool) -> None:
    """Show how many polygons each class has, and where they are."""
    if frame.empty:
        click.echo("geoseg: warning: the map has no class anywhere", err=True)
    groups = frame.groupby("class_name", sort=False)["area_m2"]
    rows = [
        {"name": name, "polygons": len(areas), "area_ha": float(areas.sum()) / 10_000}
        for name, areas in groups
    ]
    merged = frame.attrs["merged_pixels"]
    if as_json:
        result = {"output": str(output), "classes": rows, "merged_pixels": merged}
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    table = Table("class", title="Polygons", title_justify="left")
    for heading in ("polygons", "area (ha)", "pixels merged away"):
        table.add_column(heading, justify="right")
    for row in rows:
        lost = merged.get(row["name"], 0)
        counts = (f"{row['polygons']:,}", f"{row['area_ha']:,.1f}", f"{lost:,}")
        table.add_row(escape(str(row["name"])), *counts)
    console = Console(highlight=False)
    console.print(table)
    console.print(escape(str(output)), soft_wrap=True)


def show_forecast(forecast: Forecast, *, as_json: bool) -> None:
    """Show what a run is going to do, take and leave."""
    if as_json:
        click.echo(forecast.to_json())
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in _forecast_lines(forecast):
        grid.add_row(name, value)
    Console(highlight=False).print(grid)


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
        ("run directory", f"{forecast.run_directory_bytes / 1e9:.2f} GB at most"),
        ("all rasters", f"{forecast.rasters_bytes / 1e9:.2f} GB at most"),
        ("computes", f"{forecast.device}, {forecast.precision}: {forecast.reason}"),
        ("time", f"{_duration(forecast.seconds)} with one process"),
    ]


def _memory(forecast: Forecast) -> str:
    here, polygons = forecast.peak_memory_bytes, forecast.polygons_memory_bytes
    text = f"{here / 1e9:.2f} GB at most, {polygons / 1e9:.2f} of it for polygons"
    if forecast.worker_memory_bytes is not None:
        text += f"; {forecast.worker_memory_bytes / 1e9:.2f} GB a worker"
    return f"{text}; {forecast.free_memory_bytes / 1e9:.2f} GB are free"


def _mpx(forecast: Forecast) -> str:
    return f"{forecast.scene_pixels / 1e6:,.1f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
