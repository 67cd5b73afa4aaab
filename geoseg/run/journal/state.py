"""How a run is, as its owner says it to whoever looks at its directory.

What is done stands in the journal. This is the rest: who does it, how much there is to
do, at what it is, and what went wrong. It is written anew whenever one of these
changes, a dozen times a run, and nothing depends on it.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

STOPPED = "it was stopped"
"""Why a run let go that Ctrl-C or a signal ended, or the end of another scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the owner of a run says of it. Times are seconds since 1970."""

    process: int = 0
    """The owner's number on its machine."""
    host: str = ""
    """The owner's machine."""
    user: str = ""
    """Whose process it is; empty where it has no name."""
    began: float = 0
    """When this owner took the run."""
    output: str = ""
    """Where the products are going to be."""
    step: str = ""
    """At what it is: see `geoseg.progress.Step`."""
    blocks: int = 0
    """Blocks of the plan."""
    tiles: int = 0
    """Tiles of the plan."""
    workers: int = 0
    """How many workers there were when that was last looked at."""
    lost: tuple[str, ...] = ()
    """Which workers went away, a sentence each."""
    failures: tuple[str, ...] = ()
    """Which blocks failed, a sentence each."""
    ended: float = 0
    """When this owner let go of the run; 0 while it has it."""
    error: str = ""
    """Why it did, where the products are not complete."""

    @classmethod
    def begun(cls) -> State:
        """Say that this process takes a run now."""
        user = ""
        with suppress(OSError, KeyError, ImportError):  # a user without a name
            user = getpass.getuser()
        return cls(
            process=os.getpid(),
            host=socket.gethostname(),
            user=user,
            began=time.time(),
        )

    def written(self) -> bytes:
        """Write it as it is kept."""
        return json.dumps(asdict(self)).encode()


def read_state(data: bytes) -> State:
    """Read what an owner said; what is damaged says nothing."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return State()
    if not isinstance(found, dict):
        return State()
    empty = State()
    names = [each.name for each in fields(State)]
    known = {name: _as(getattr(empty, name), found.get(name)) for name in names}
    return State(**{name: value for name, value in known.items() if value is not None})


def _as(default: Any, value: Any) -> Any:  # noqa: ANN401  # any value of JSON
    """Take a value of a field's kind; None of what is another."""
    if isinstance(default, tuple):
        texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return tuple(value) if texts else None
    if isinstance(default, str):
        return value if isinstance(value, str) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return type(default)(value) if is_number and 0 <= value < 2**53 else None
