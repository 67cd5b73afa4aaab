"""How far a job is: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task

    from geoseg import Step

_NARROW = 70
"""A terminal of fewer columns has no room for a bar, a rate and the time left."""
_SILENCE_S = 20.0
"""Seconds between the lines that a log gets: a short job leaves none."""


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


def progress_on(console: Console, *, hidden: bool) -> Bars | Lines:
    """Choose how to tell, by what the console is."""
    drawn = console.is_terminal and not console.is_dumb_terminal
    return (Bars if drawn else Lines)(console, hidden=hidden)
