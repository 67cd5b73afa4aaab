"""How far a job is: bars on a terminal, a line now and then elsewhere, or events."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from geoseg.cli.context import JSON_PROGRESS, VERBOSE, flag

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task

    from geoseg import Step

_NARROW = 70
"""A terminal of fewer columns has no room for a bar, a rate and the time left."""
_SILENCE_S = 5.0
"""Seconds between the lines that a log gets: a short job leaves none."""
_EVENT_S = 0.5
"""Seconds between the events of one step that a program gets."""


_UNITS = {
    **dict.fromkeys(("mask", "infer", "whole"), "tiles"),
    "composite": "blocks",
    "features": "features",
    "train": "steps",
}
"""What is counted in a step."""


class _Rate(ProgressColumn):
    """Tiles, or whatever is counted, per second."""

    def render(self, task: Task) -> Text:
        """Write the rate, once there is one."""
        speed = task.finished_speed or task.speed
        unit = task.fields["unit"]
        if not task.fields["counted"] or not unit or speed is None:
            return Text("")
        return Text(f"{speed:.1f} {unit}/s", style="progress.data.speed")


class _Count(ProgressColumn):
    """Tiles, or whatever is counted, done of all."""

    def __init__(self, *, named: bool) -> None:
        """Choose whether to name what is counted."""
        super().__init__()
        self._named = named

    def render(self, task: Task) -> Text:
        """Write the count, where there is one."""
        if not task.fields["counted"]:
            return Text("")
        unit = task.fields["unit"] if self._named else ""
        return Text(f"{task.completed:,.0f}/{task.total:,.0f} {unit}".rstrip())


class Bars:
    """A bar for each step of a job, on a terminal."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        """Choose the columns that the terminal has room for."""
        columns: list[ProgressColumn] = [
            SpinnerColumn(),
            TextColumn("{task.description}"),
        ]
        if console.width < _NARROW:
            columns += [_Count(named=False)]
        else:
            left = TimeRemainingColumn(elapsed_when_finished=True)
            columns += [BarColumn(), _Count(named=True), _Rate(), left]
        self._progress = Progress(*columns, console=console, disable=hidden)
        self._task: TaskID | None = None

    def start(self) -> None:
        """Begin to draw."""
        self._progress.start()

    def stop(self, *, done: bool) -> None:
        """Leave the bars as they are, full where the job is done."""
        if done:
            self._fill()
        self._progress.stop()

    def begin(self, words: str, step: Step) -> None:
        """Draw a new bar under a full one."""
        self._fill()
        self._task = self._progress.add_task(
            words,
            total=step.total or None,
            completed=step.done,
            counted=step.total > 0,
            unit=_UNITS.get(step.name, ""),
        )

    def advance(self, step: Step) -> None:
        """Draw how much is done."""
        if self._task is not None and step.total:
            self._progress.update(self._task, completed=step.done)

    def _fill(self) -> None:
        if self._task is not None:
            task = next(t for t in self._progress.tasks if t.id == self._task)
            total = task.total or 1
            self._progress.update(self._task, total=total, completed=total)


class Lines:
    """A line now and then, for logs of jobs that take long."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        """Begin with a silence."""
        self._console, self._hidden = console, hidden
        self._words, self._last = "", time.monotonic()

    def start(self) -> None:
        """Nothing to draw yet."""

    def stop(self, *, done: bool) -> None:
        """Nothing to leave."""

    def begin(self, words: str, step: Step) -> None:
        """Name a new step, if the last line is long ago."""
        self._words = words
        self.advance(step)

    def advance(self, step: Step) -> None:
        """Return how much is done, if the last line is long ago."""
        if self._hidden or time.monotonic() - self._last < _SILENCE_S:
            return
        self._last = time.monotonic()
        unit = _UNITS.get(step.name, "")
        count = f", {step.done:,} of {step.total:,} {unit}" if step.total else ""
        self._console.print(f"geoseg: {self._words}{count}", soft_wrap=True)


class Events:
    """A JSON object a line, for programs that call geoseg; see docs/scripts.md."""

    def __init__(self) -> None:
        """Begin with no step."""
        self._words, self._last = "", 0.0

    def start(self) -> None:
        """Nothing to report yet."""

    def stop(self, *, done: bool) -> None:
        """Report that the job is done, or that it ends otherwise."""
        self.write("end", done=done)

    def begin(self, words: str, step: Step) -> None:
        """Report that a step begins."""
        self._words, self._last = words, 0.0
        self.advance(step)

    def advance(self, step: Step) -> None:
        """Report how much of a step is done, if the last line is long enough ago."""
        whole = bool(step.total) and step.done >= step.total
        if not whole and time.monotonic() - self._last < _EVENT_S:
            return
        self._last = time.monotonic()
        self.write(
            "step",
            step=step.name,
            text=self._words,
            done=step.done,
            total=step.total or None,
            unit=_UNITS.get(step.name),
        )

    def write(self, event: str, **more: str | float | None) -> None:
        """Write a line."""
        write_event({"event": event, **more})


def write_event(event: dict[str, str | float | None]) -> None:
    """Write an event to standard error, in one line of JSON."""
    click.echo(json.dumps(event, ensure_ascii=True), err=True)


def progress_on(console: Console, *, hidden: bool) -> Bars | Lines | Events:
    """Choose how to report, by the flags and by what the console is."""
    if flag(JSON_PROGRESS):
        return Events()
    drawn = console.is_terminal and not console.is_dumb_terminal and not flag(VERBOSE)
    return (Bars if drawn else Lines)(console, hidden=hidden)
