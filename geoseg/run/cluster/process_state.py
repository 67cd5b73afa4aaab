"""What runs change in the process of a worker, for as long as one of them is there.

Several are at a time: scenes of one call overlap, and clients share a cluster. So what
is changed is changed back when the last run goes that wants it, and not by the first.
"""

from __future__ import annotations

import os
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from geoseg.run.cluster.memory import hold_freed_memory

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

_lock = Lock()
_held: dict[str, tuple[int, Callable[[], None]]] = {}
"""How many want a change, and what undoes it, by its name."""


def take(stack: ExitStack, name: str, begin: Callable[[], Callable[[], None]]) -> None:
    """Have a change made unless it is, and undone when the last who took it ends.

    Args:
        stack: What this one ends with.
        name: The change's.
        begin: Makes it, and gives what undoes it.

    """
    with _lock:
        count, undo = _held.get(name) or (0, begin())
        _held[name] = count + 1, undo
    stack.callback(_give_back, name)


def _give_back(name: str) -> None:
    with _lock:
        count, undo = _held.pop(name)
        if count > 1:
            _held[name] = count - 1, undo
        else:
            undo()


def take_memory(stack: ExitStack) -> None:
    """Keep what large arrays free: see `hold_freed_memory`."""

    def begin() -> Callable[[], None]:
        hold_freed_memory(hold=True)
        return partial(hold_freed_memory, hold=False)

    take(stack, "memory", begin)


def take_settings(stack: ExitStack, settings: Mapping[str, str]) -> None:
    """Set variables of the environment; of two values, the later one counts."""
    for name, value in settings.items():
        take(stack, f"setting {name}", partial(_remembered, name))
        _set(name, value)


def _remembered(name: str) -> Callable[[], None]:
    return partial(_set, name, os.environ.get(name))


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def take_lines(
    stack: ExitStack, logger: logging.Logger, level: int, lines: logging.Handler
) -> None:
    """Give a handler what a logger says from a level on, one of a name only once."""

    def begin() -> Callable[[], None]:
        logger.addHandler(lines)
        return partial(logger.removeHandler, lines)

    take(stack, f"lines {lines.name} of {logger.name}", begin)
    take(
        stack,
        f"level of {logger.name}",
        lambda: partial(logger.setLevel, logger.level),
    )
    logger.setLevel(min(level, logger.level or level))
