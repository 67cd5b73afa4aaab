"""How far a run is that goes on elsewhere, or has stopped.

It is read from what every run keeps in its directory: the journal of what is done, what
its owner says of itself, and whether its lock is held. Nothing is taken or written, so
whoever may read the directory may ask.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from geoseg.errors import DiskError, OutputError, json_text
from geoseg.run.journal.journal import look_at
from geoseg.run.journal.state import STOPPED
from geoseg.storage.bucket import Bucket
from geoseg.storage.output import RUN_DIRECTORY, Output
from geoseg.storage.remote import as_url, on_disk, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from geoseg.run.journal.journal import Entry, Snapshot
    from geoseg.run.journal.state import State

_AT_ONCE = 16
"""Scenes that are looked at at a time."""
Stage = Literal["running", "stopped", "done", "unknown"]
_RECENT_S = 300.0
"""Seconds before the last finished block over which its speed is measured."""


class NoRunError(OutputError):
    """Nothing of a run is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How a run is. Times are in UTC, as ISO 8601 writes them."""

    directory: str
    """The run directory; of a run that is done, the folder of its products."""
    state: Stage
    """``running``; ``stopped``, and the same command carries on; ``done``; ``unknown``
    where it cannot be seen whether its owner is alive."""
    step: str | None = None
    """At what it is or was: ``infer``, ``vectorize`` and so on."""
    blocks_done: int | None = None
    """Finished blocks; None of a map, whose report does not count them."""
    blocks: int | None = None
    """Blocks of the plan; None of a map, and where its owner did not say."""
    tiles_done: int = 0
    """Tiles of finished blocks."""
    tiles: int | None = None
    """Tiles of the plan."""
    tiles_per_second: float | None = None
    """How fast its last blocks were finished, five minutes of them at most."""
    seconds_left: float | None = None
    """What is left of inference at that speed, while it is running."""
    last_block: str | None = None
    """When the last block was finished, by its owner's clock."""
    began: str | None = None
    """When its owner took it, by that one's clock."""
    process: int | None = None
    """The owner's number on its machine."""
    host: str | None = None
    """The owner's machine."""
    user: str | None = None
    """Whose process it is."""
    workers: int | None = None
    """How many workers there were when that was last looked at."""
    output: str | None = None
    """Where its products are going to be."""
    lost: tuple[str, ...] = ()
    """Which workers went away, a sentence each."""
    failures: tuple[str, ...] = ()
    """Which blocks failed, a sentence each."""
    error: str | None = None
    """Why it stopped, where it could say so: one that was killed could not."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Every input and setting that changes pixels, as a resume compares them."""

    @property
    def has_failed(self) -> bool:
        """Whether it stopped by itself, and said why."""
        return self.state == "stopped" and self.error not in {None, STOPPED}

    def to_json(self) -> str:
        """Write it as JSON, indented, keys in the order of the fields."""
        return json_text(asdict(self))


def status(run_dir: Path | str) -> RunStatus:
    """Say how far a run is, how fast it goes, what failed, and who owns it.

    The run may go on in another process, on another machine, or have stopped. Nothing
    is taken or written: whoever may read its directory may ask.

    Args:
        run_dir: A run directory, or the folder of the map that it makes, whose run is
            in ``.geoseg`` there unless it was said otherwise, or the composite: a path
            or the URL of an object store. There it takes some seconds to see whether a
            run's owner is alive.

    Raises:
        InputError: There is no run, nor the report of a finished one.

    Example:
        >>> import geoseg
        >>> geoseg.status("out").state  # doctest: +SKIP
        'running'

    """
    given = str(run_dir).rstrip("/") or "/"
    file = Output.of_file(given)  # if it is one: a composite, or what becomes one
    for directory in (given, f"{given}/{RUN_DIRECTORY}", str(file.run_directory())):
        look = look_at(directory)
        if look is not None:
            return _status(without_secrets(directory), look)
    report = _report(given)
    if report is not None:
        return _finished(without_secrets(given), report)
    if "composite" in _record(file):
        named = without_secrets(given)
        return RunStatus(directory=named, state="done", output=named)
    lacks = "holds no run, nor a map that one has made"
    if as_url(given) is None and not Path(given.removeprefix("file://")).exists():
        lacks = "does not exist"
    raise NoRunError(
        f"{without_secrets(given)} {lacks}; give the output of a run, or the folder "
        f"that it was given as `run_dir`"
    )


def status_each(folder: Path | str) -> dict[str, RunStatus]:
    """Say how the scenes are that `geoseg.segment_each` maps into a folder.

    Args:
        folder: The output of that call, or its run directory: a path or the URL of an
            object store.

    Returns:
        How each is, by its name; those that nobody has begun yet are missing. Nothing
        where no folder in it holds a run or a map.

    Raises:
        InputError: It cannot be reached or read.

    Example:
        >>> import geoseg
        >>> states = geoseg.status_each("maps")  # doctest: +SKIP
        >>> [name for name, each in states.items() if each.state == "done"]
        ... # doctest: +SKIP
        ['berlin', 'bonn']

    """
    given = str(folder).rstrip("/") or "/"
    names = _folders(given)
    with ThreadPoolExecutor(_AT_ONCE) as threads:  # an owner in a store takes seconds
        looks = threads.map(_status_or_none, [f"{given}/{name}" for name in names])
        found = dict(zip(names, looks, strict=True))
    return {name: each for name, each in found.items() if each is not None}


def _folders(given: str) -> list[str]:
    """Name the folders that may hold a scene's run or map."""
    if as_url(given) is not None:
        try:
            return [name for name in Bucket(given).folders() if name[0] != "."]
        except DiskError as error:  # nothing is done
            raise OutputError(str(error)) from error
    path = Path(on_disk(given))
    if not path.is_dir():
        return []
    try:
        inside = list(path.iterdir())
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read ({error.strerror}); ask whose it is"
        ) from error
    return sorted(e.name for e in inside if e.name[0] != "." and e.is_dir())


def _status_or_none(folder: str) -> RunStatus | None:
    """Say how a run is, or a map that it made; None of any other folder."""
    try:
        return status(folder)
    except NoRunError:
        return None


def _status(directory: str, look: Snapshot) -> RunStatus:
    state, counts = look.state, _counted(look.entries, look.state.began)
    stage = _stage(is_owned=look.is_owned, state=state)
    left = None
    if stage == "running" and counts.speed and state.tiles:
        left = round(max(state.tiles - counts.tiles, 0) / counts.speed, 1)
    return RunStatus(
        directory=directory,
        state=stage,
        step=state.step or None,
        blocks_done=counts.blocks,
        blocks=state.blocks or None,
        tiles_done=counts.tiles,
        tiles=state.tiles or None,
        tiles_per_second=counts.speed,
        seconds_left=left,
        last_block=_clock(counts.last),
        began=_clock(state.began),
        process=state.process or None,
        host=state.host or None,
        user=state.user or None,
        workers=state.workers or None,
        output=state.output or None,
        lost=state.lost,
        failures=state.failures,
        error=state.error or None,
        identity=look.identity,
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """What a journal says: sums, and when the last block was finished."""

    blocks: int
    tiles: int
    last: float
    speed: float | None


def _counted(entries: Iterable[Entry], began: float) -> _Counts:
    """Count finished blocks, and measure the speed of the last ones of an owner."""
    blocks = tiles = 0
    recent: deque[tuple[float, int]] = deque()
    last = 0.0
    for entry in entries:
        if not entry.task.startswith("block"):
            continue
        blocks, size = blocks + 1, sum(entry.notes.values())
        tiles, last = tiles + size, max(last, entry.at)
        if entry.at >= began > 0:
            recent.append((entry.at, size))
        while recent and recent[0][0] < last - _RECENT_S:
            recent.popleft()
    return _Counts(blocks, tiles, last, _speed(recent, began))


def _speed(recent: Iterable[tuple[float, int]], began: float) -> float | None:
    """Give tiles a second: from the owner's beginning, or from the first of many."""
    times = [at for at, _ in recent]
    if not times:
        return None
    since = max(began, times[-1] - _RECENT_S)
    passed = times[-1] - since
    return round(sum(size for _, size in recent) / passed, 3) if passed > 0 else None


def _stage(*, is_owned: bool | None, state: State) -> Stage:
    if is_owned is None and state.host == socket.gethostname():
        is_owned = not state.ended and psutil.pid_exists(state.process)
    if is_owned is None:
        return "stopped" if state.ended else "unknown"
    return "running" if is_owned else "stopped"


def _clock(seconds: float) -> str | None:
    """Write a time; None of what is none."""
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):  # what is damaged is no time
        return None


def _report(folder: str) -> Mapping[str, Mapping[str, float]] | None:
    """Read what the report of a finished run says, as far as it is said here."""
    found = _record(Output.of(folder))
    try:
        return {name: dict(found[name]) for name in ("tiles", "timings_s", "identity")}
    except (ValueError, TypeError, KeyError):
        return None


def _record(output: Output) -> Mapping[str, Any]:
    """Read what says what is there; nothing where that is no record."""
    try:
        if output.url is None:
            path = output.folder / output.record
            data = path.read_bytes() if path.is_file() else b""
        else:
            data = Bucket(output.url).get(output.record)
        found = json.loads(data)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _finished(folder: str, report: Mapping[str, Mapping[str, float]]) -> RunStatus:
    tiles = int(report["tiles"].get("inferred", 0))
    seconds = report["timings_s"].get("infer", 0)
    return RunStatus(
        directory=folder,
        state="done",
        tiles_done=tiles,
        tiles=tiles,
        tiles_per_second=round(tiles / seconds, 3) if seconds else None,
        output=folder,
        identity={name: str(value) for name, value in report["identity"].items()},
    )
