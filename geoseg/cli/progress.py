"""How far a job is: bars on a terminal, a line now and then elsewhere, or events."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

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
    **dict.fromkeys(("check", "scenes"), "scenes"),
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
    """A bar for each step of a job, on a terminal; one for each scene under way."""

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
        self._bars: dict[str, TaskID] = {}

    def start(self) -> None:
        """Begin to draw."""
        self._progress.start()

    def stop(self, *, done: bool) -> None:
        """Leave the bars as they are, full where the job is done."""
        if done:
            self._fill("")
        for scene in filter(None, tuple(self._bars)):
            self.end(scene)
        self._progress.stop()

    def begin(self, words: str, step: Step) -> None:
        """Draw a new bar under a full one, or a scene's next step in its bar."""
        drawn: dict[str, Any] = {
            "description": words,
            "completed": step.done,
            "counted": step.total > 0,
            "unit": _UNITS.get(step.name, ""),
        }
        total = step.total or None
        if step.scene and step.scene in self._bars:
            bar = self._bars[step.scene]
            self._progress.reset(bar, total=total, **drawn)
            self._task(bar).total = total  # None, which pulses, is no change to reset()
            return
        self._fill(step.scene)
        self._bars[step.scene] = self._progress.add_task(total=total, **drawn)

    def advance(self, step: Step) -> None:
        """Draw how much is done."""
        if step.scene in self._bars and step.total:
            self._progress.update(self._bars[step.scene], completed=step.done)

    def end(self, scene: str) -> None:
        """Take away the bar of a scene that is done with."""
        if scene in self._bars:
            self._progress.remove_task(self._bars.pop(scene))

    def _fill(self, scene: str) -> None:
        if scene in self._bars:
            total = self._task(self._bars[scene]).total or 1
            self._progress.update(self._bars[scene], total=total, completed=total)

    def _task(self, bar: TaskID) -> Task:
        return next(task for task in self._progress.tasks if task.id == bar)


class Lines:
    """A line now and then, for logs of jobs that take long."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        """Begin with a silence."""
        self._console, self._hidden = console, hidden
        self._words: dict[str, str] = {}
        self._last = time.monotonic()

    def start(self) -> None:
        """Nothing to draw yet."""

    def stop(self, *, done: bool) -> None:
        """Nothing to leave."""

    def begin(self, words: str, step: Step) -> None:
        """Name a new step, if the last line is long ago."""
        self._words[step.scene] = words
        self.advance(step)

    def end(self, scene: str) -> None:
        """Forget a scene that is done with."""
        self._words.pop(scene, None)

    def advance(self, step: Step) -> None:
        """Return how much is done, if the last line is long ago."""
        if self._hidden or time.monotonic() - self._last < _SILENCE_S:
            return
        self._last = time.monotonic()
        unit = _UNITS.get(step.name, "")
        count = f", {step.done:,} of {step.total:,} {unit}" if step.total else ""
        words = self._words[step.scene]
        self._console.print(f"geoseg: {words}{count}", soft_wrap=True)


class Events:
    """A JSON object a line, for programs that call geoseg; see docs/scripts.md."""

    def __init__(self) -> None:
        """Begin with no step."""
        self._words: dict[str, str] = {}
        self._last: dict[str, float] = {}

    def start(self) -> None:
        """Nothing to report yet."""

    def stop(self, *, done: bool) -> None:
        """Report that the job is done, or that it ends otherwise."""
        self.write("end", done=done)

    def begin(self, words: str, step: Step) -> None:
        """Report that a step begins."""
        self._words[step.scene] = words
        self._last.pop(step.scene, None)
        self.advance(step)

    def end(self, scene: str) -> None:
        """Forget a scene that is done with."""
        self._words.pop(scene, None)

    def advance(self, step: Step) -> None:
        """Report how much of a step is done, if the last line is long enough ago."""
        whole = bool(step.total) and step.done >= step.total
        now = time.monotonic()
        if not whole and now - self._last.get(step.scene, -_EVENT_S) < _EVENT_S:
            return
        self._last[step.scene] = now
        self.write(
            "step",
            **({"scene": step.scene} if step.scene else {}),
            step=step.name,
            text=self._words[step.scene],
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
