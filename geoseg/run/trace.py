"""A timeline of a run as a file: who read, waited, computed and wrote when.

It is in Chrome's trace format, which ui.perfetto.dev and chrome://tracing show: a row
for each thread of each worker, and one for the stages of the run, or one for those of
each of several scenes that are under way. Events are written as
they come, so that nothing grows in memory and the file of a run that was killed can be
looked at, too.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, get_native_id
from typing import TYPE_CHECKING, Any

from geoseg.errors import OutputError
from geoseg.storage.full_disk import disk_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper

    from geoseg.progress import Laps, Timeline

_BEGINNING = '[{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"geoseg'
"""How a timeline of ours begins, and nothing else does."""


class Trace:
    """A timeline that is being written. Times of other machines are by their clocks."""

    def __init__(self, path: Path, file: TextIOWrapper) -> None:
        """Begin a file: use `traced`."""
        self._path, self._file = path, file
        self._processes = {(socket.gethostname(), os.getpid()): 1}
        self._threads: dict[tuple[int, int], int] = {}
        self._lock, self._first = RLock(), get_native_id()
        self._write(f'{_BEGINNING} ({socket.gethostname()})"}}}}')

    def of(self, scene: str) -> Timeline:
        """Give a timeline of one of several scenes, whose name its events bear."""
        return _SceneTimeline(self, scene)

    def stage(self, name: str, start: float, seconds: float, scene: str = "") -> None:
        """Write a stage of the run down, in the row of the thread that it was in."""
        with self._lock:
            here = get_native_id()
            row = 0 if here == self._first else self._thread(1, here)
            about = {"scene": scene} if scene else {}
            self._event(name, 1, row, (start, seconds), about)

    def task(self, name: str, laps: Laps, scene: str = "") -> None:
        """Write down what a worker's thread did for a task."""
        with self._lock:
            process = self._process(laps.host, laps.process)
            thread = self._thread(process, laps.thread)
            for lap in laps.pieces:
                about: dict[str, Any] = {"task": name}
                if scene:
                    about["scene"] = scene
                if lap.size:
                    about["bytes"] = lap.size
                self._event(lap.stage, process, thread, (lap.start, lap.seconds), about)

    def close(self) -> None:
        """End the file."""
        self._file.write("]\n")

    def _process(self, host: str, number: int) -> int:
        known = self._processes.get((host, number))
        if known is None:
            known = self._processes[host, number] = len(self._processes) + 1
            name = f"worker {number} on {host}"
            self._name("process_name", known, 0, name)
        return known

    def _thread(self, process: int, number: int) -> int:
        known = self._threads.get((process, number))
        if known is None:
            mates = sum(owner == process for owner, _ in self._threads)
            known = self._threads[process, number] = mates + 1
            self._name("thread_name", process, known, f"thread {known}")
        return known

    def _name(self, what: str, process: int, thread: int, name: str) -> None:
        event = {"name": what, "ph": "M", "pid": process, "tid": thread}
        self._write("," + json.dumps({**event, "args": {"name": name}}))

    def _event(
        self,
        name: str,
        process: int,
        thread: int,
        when: tuple[float, float],
        about: dict[str, Any],
    ) -> None:
        start, seconds = (round(each * 1e6) for each in when)  # microseconds
        event = {"name": name, "ph": "X", "ts": start, "dur": seconds}
        rest = {"pid": process, "tid": thread, "args": about}
        self._write("," + json.dumps({**event, **rest}))

    def _write(self, line: str) -> None:
        try:
            self._file.write(f"{line}\n")
        except OSError as error:
            raise disk_error(self._path, error) from error


class _SceneTimeline:
    """A timeline of one scene in that of several."""

    def __init__(self, trace: Trace, scene: str) -> None:
        """Name the scene."""
        self._trace, self._scene = trace, scene

    def stage(self, name: str, start: float, seconds: float) -> None:
        """Write a stage of the scene down."""
        self._trace.stage(name, start, seconds, self._scene)

    def task(self, name: str, laps: Laps) -> None:
        """Write down what a worker's thread did for the scene."""
        self._trace.task(name, laps, self._scene)


@contextmanager
def traced(path: str | Path | None) -> Iterator[Trace | None]:
    """Write a timeline of what happens inside; None where none is wanted.

    Raises:
        OutputError: It cannot be written there, or something else is there.

    """
    if path is None:
        yield None
        return
    target = Path(path)
    with _begun(target) as file:
        trace = Trace(target, file)
        try:
            yield trace
        finally:
            trace.close()


def _begun(target: Path) -> TextIOWrapper:
    """Open a file that is empty, or a timeline from before, which goes."""
    try:
        file = target.open("a+", encoding="utf-8", buffering=1)
    except OSError as error:
        raise OutputError(
            f"the timeline {target} cannot be written ({error.strerror}); name another "
            f"file for `trace`"
        ) from error
    file.seek(0)
    try:
        is_ours = file.read(len(_BEGINNING)) in {"", _BEGINNING}
    except UnicodeDecodeError:
        is_ours = False
    if not is_ours:
        file.close()
        raise OutputError(
            f"{target} is no timeline that geoseg wrote; name another file for `trace`"
        )
    file.truncate(0)
    return file
