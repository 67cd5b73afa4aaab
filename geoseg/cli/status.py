"""geoseg status: how far a run is that goes on elsewhere, or has stopped."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING

import rich_click as click
from rich.markup import escape
from rich.table import Table

import geoseg
from geoseg.cli.completion import path_or_url
from geoseg.cli.options import reporting
from geoseg.cli.printing import show, show_json
from geoseg.cli.screen import IN_WORDS, duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geoseg import RunStatus

_SHOWN = ("done", "running", "failed")
"""The states of scenes that are counted on a screen, be it with 0."""
_STATES = (*_SHOWN, "stopped", "unknown")


@click.command("status")
@click.argument("run_dir", type=path_or_url)
@reporting
def command(run_dir: str, *, quiet: bool, as_json: bool) -> None:
    """Say how far the run in RUN_DIR is, how fast, what failed, and who owns it.

    \b
    For example:
      geoseg status out/
      geoseg status s3://bucket/runs/berlin --json

    RUN_DIR is a run directory, or the output of a run that keeps it there, a composite
    among them; or the output of segment --each: then it says which scenes are done,
    which run, by whom, and which failed. A run may go on in another process or on
    another machine, or have stopped. Nothing is taken or written: whoever may read the
    directory may ask.
    """
    shown: str | dict[str, object]
    try:
        found = geoseg.status(run_dir)
        shown, lines = found.to_json(), _lines(found)
    except geoseg.InputError:
        scenes = geoseg.status_each(run_dir)
        if not scenes:
            raise
        shown, lines = _summed(scenes), _lines_of_all(scenes)
    if as_json:
        show_json(shown)
    elif not quiet:
        grid = Table.grid(padding=(0, 2))
        for name, value in lines:
            grid.add_row(name, escape(value))
        show(grid)


def _apart(scenes: Mapping[str, RunStatus]) -> dict[str, list[str]]:
    """Name the scenes that are done, that run, and so on."""
    apart: dict[str, list[str]] = {state: [] for state in _STATES}
    for name, found in scenes.items():
        apart["failed" if found.has_failed else found.state].append(name)
    return apart


def _summed(scenes: Mapping[str, RunStatus]) -> dict[str, object]:
    each = {name: json.loads(found.to_json()) for name, found in scenes.items()}
    counts = {state: len(names) for state, names in _apart(scenes).items()}
    return {**counts, "scenes": each}


def _lines_of_all(scenes: Mapping[str, RunStatus]) -> list[tuple[str, str]]:
    """How many scenes are done; who has which of the others, and why some failed."""
    lines = []
    for state, names in _apart(scenes).items():
        if names or state in _SHOWN:
            lines.append((state, f"{len(names):,}"))
        owners: dict[str, list[str]] = {}
        for name in names if state != "done" else ():
            found = scenes[name]
            owner = _who(found) if found.process else "nobody who said so"
            why = f": {found.error}" if state == "failed" else ""
            owners.setdefault(f"{owner}{why}", []).append(name)
        lines += [("", f"{', '.join(mine)}: {owner}") for owner, mine in owners.items()]
    return lines


def _lines(found: RunStatus) -> list[tuple[str, str]]:
    return [
        ("run", found.directory),
        ("state", _state(found)),
        *([("makes", found.output)] if found.output and found.state != "done" else []),
        *([("done", _done(found))] if found.state != "done" else []),
        *_speed(found),
        *([("last block", _ago(found.last_block))] if found.last_block else []),
        *([("owner", _owner(found))] if found.process else []),
        *([("workers", f"{found.workers:,}")] if found.workers else []),
        *(("lost", text) for text in found.lost),
        *(("failed", text) for text in found.failures),
        *([("why", found.error)] if found.error else []),
    ]


def _state(found: RunStatus) -> str:
    step = IN_WORDS.get(found.step or "", "")
    if found.state == "running":
        return f"running: {step}" if step else "running"
    if found.state == "done":
        return "done" if found.tiles is None else f"done: {found.tiles:,} tiles"
    if found.state == "unknown":
        return "unknown: its owner is on another machine, which holds no lock here"
    silent = "" if found.error else " without a word (killed, or its machine went)"
    while_at = f" while {step}" if step else ""
    then = "carries on from here" if found.blocks_done else "begins anew"
    return f"stopped{while_at}{silent}; the same command {then}"


def _done(found: RunStatus) -> str:
    blocks = found.blocks_done or 0
    if not found.blocks or not found.tiles:
        return f"{found.tiles_done:,} tiles in {blocks:,} blocks"
    return (
        f"{found.tiles_done:,} of {found.tiles:,} tiles "
        f"({100 * found.tiles_done / found.tiles:.0f} %), "
        f"{blocks:,} of {found.blocks:,} blocks"
    )


def _speed(found: RunStatus) -> list[tuple[str, str]]:
    if found.tiles_per_second is None:
        return []
    text = f"{found.tiles_per_second:,.1f} tiles/s"
    if found.seconds_left:
        text += f", {duration(found.seconds_left)} left at that"
    return [("speed", text)]


def _owner(found: RunStatus) -> str:
    since = f", since {found.began}" if found.began else ""
    return f"{_who(found)}{since}"


def _who(found: RunStatus) -> str:
    user = f" of {found.user}" if found.user else ""
    return f"process {found.process}{user} on {found.host}"


def _ago(moment: str) -> str:
    """Say how long ago something was, by this machine's clock."""
    passed = time.time() - datetime.fromisoformat(moment).timestamp()
    return f"{moment}, {duration(max(passed, 0))} ago"
