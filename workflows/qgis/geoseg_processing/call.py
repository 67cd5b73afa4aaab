"""geoseg as a program that runs: what it tells, and how it is stopped."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOOK_S = 0.2
"""Seconds between looks whether somebody wants it to stop."""
_PATIENCE_S = 60.0
"""Seconds that it may take to stop; what is finished is kept in any case."""
_ON_WINDOWS = sys.platform == "win32"


class Watcher(Protocol):
    """Whoever watches a call."""

    def say(self, text: str) -> None:
        """Tell of what goes on."""

    def warn(self, text: str) -> None:
        """Tell what is to be known."""

    def advance(self, percent: float) -> None:
        """Show how much of a step is done."""

    def wants_stop(self) -> bool:
        """Tell whether it is to stop."""


class FailedError(Exception):
    """geoseg ended with an error, which is the text."""


class StoppedError(Exception):
    """Somebody stopped geoseg; the text says so, and what becomes of its work."""


@dataclass
class _Told:
    """What the events told so far."""

    watcher: Watcher
    step: str = ""
    error: str = ""

    def take(self, line: str) -> None:
        """Take a line of standard error: an event, or what somebody else wrote."""
        event = _event(line)
        kind, text = event.get("event"), str(event.get("text") or "")
        if kind == "step":
            self._step(event, text)
        elif kind == "error":
            self.error = text
        elif kind == "warning":
            self.watcher.warn(text)
        elif text:
            self.watcher.say(text)
        elif kind is None and line.strip():
            self.error = f"{self.error}\n{line.strip()}".strip()

    def _step(self, event: Mapping[str, Any], text: str) -> None:
        if text != self.step:
            self.step = text
            self.watcher.say(text)
        total = event.get("total")
        self.watcher.advance(100 * event["done"] / total if total else 0)


def _event(line: str) -> dict[str, Any]:
    """Read a line as an event; an empty one where it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run(
    command: Sequence[str], environ: Mapping[str, str], watcher: Watcher
) -> dict[str, Any]:
    """Run geoseg, and give what it reports.

    Args:
        command: The program with ``--json`` and ``--json-progress`` and all else.
        environ: Its environment.
        watcher: Told how far it is, and asked whether it is to stop.

    Returns:
        The object that it printed; an empty one where it printed none.

    Raises:
        FailedError: It ended with an error.
        StoppedError: The watcher wanted it to stop.

    """
    # Of a program on Windows no window is to open.
    more = {"creationflags": subprocess.CREATE_NO_WINDOW} if _ON_WINDOWS else {}
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  # the program that the user named
        command,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        env=dict(environ),
        encoding="utf-8",
        errors="replace",
        **more,
    ) as process:
        told, lines = _Told(watcher), queue.Queue()  # type: queue.Queue[str | None]
        printed: list[str] = []
        readers = [
            _reader(lambda: _pass_on(process.stderr, lines)),
            _reader(lambda: printed.append(_all_of(process.stdout))),
        ]
        stopped = _listen(process, lines, told)
        for reader in readers:
            reader.join()
        status = process.wait()
    if stopped:
        raise StoppedError(told.error or "stopped")
    if status:
        raise FailedError(told.error or f"geoseg ended with status {status}")
    return _event("".join(printed))


def _reader(read: Any) -> threading.Thread:  # noqa: ANN401  # any function
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _pass_on(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    """Pass lines on, and that they are at an end."""
    for line in stream or ():
        lines.put(line)
    lines.put(None)


def _all_of(stream: IO[str] | None) -> str:
    return stream.read() if stream else ""


def _listen(
    process: subprocess.Popen[str], lines: queue.Queue[str | None], told: _Told
) -> bool:
    """Listen until it ends; tell whether it was stopped."""
    stop_at = None
    while True:
        if stop_at is None and told.watcher.wants_stop():
            stop_at = time.monotonic()
            process.terminate()  # which it takes as Ctrl-C
        if stop_at is not None and time.monotonic() - stop_at > _PATIENCE_S:
            process.kill()
        try:
            line = lines.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        if line is None:
            return stop_at is not None
        told.take(line)
