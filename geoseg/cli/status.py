"""geoseg status: how far a run is that goes on elsewhere, or has stopped."""

from __future__ import annotations

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
    from geoseg import RunStatus


@click.command("status")
@click.argument("run_dir", type=path_or_url)
@reporting
def command(run_dir: str, *, quiet: bool, as_json: bool) -> None:
    """Say how far the run in RUN_DIR is, how fast, what failed, and who owns it.

    \b
    For example:
      geoseg status out/
      geoseg status s3://bucket/runs/berlin --json

    RUN_DIR is a run directory, or the output of a run that keeps it there. The run may
    go on in another process or on another machine, or have stopped. Nothing is taken
    or written: whoever may read the directory may ask.
    """
    found = geoseg.status(run_dir)
    if as_json:
        show_json(found.to_json())
    elif not quiet:
        grid = Table.grid(padding=(0, 2))
        for name, value in _lines(found):
            grid.add_row(name, escape(value))
        show(grid)


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
        return f"done: {found.tiles_done:,} tiles"
    if found.state == "unknown":
        return "unknown: its owner is on another machine, which holds no lock here"
    silent = "" if found.error else " without a word (killed, or its machine went)"
    while_at = f" while {step}" if step else ""
    return f"stopped{while_at}{silent}; the same command carries on from here"


def _done(found: RunStatus) -> str:
    if not found.blocks or not found.tiles:
        return f"{found.tiles_done:,} tiles in {found.blocks_done:,} blocks"
    return (
        f"{found.tiles_done:,} of {found.tiles:,} tiles "
        f"({100 * found.tiles_done / found.tiles:.0f} %), "
        f"{found.blocks_done:,} of {found.blocks:,} blocks"
    )


def _speed(found: RunStatus) -> list[tuple[str, str]]:
    if found.tiles_per_second is None:
        return []
    text = f"{found.tiles_per_second:,.1f} tiles/s"
    if found.seconds_left:
        text += f", {duration(found.seconds_left)} left at that"
    return [("speed", text)]


def _owner(found: RunStatus) -> str:
    user = f" of {found.user}" if found.user else ""
    since = f", since {found.began}" if found.began else ""
    return f"process {found.process}{user} on {found.host}{since}"


def _ago(moment: str) -> str:
    """Say how long ago something was, by this machine's clock."""
    passed = time.time() - datetime.fromisoformat(moment).timestamp()
    return f"{moment}, {duration(max(passed, 0))} ago"
