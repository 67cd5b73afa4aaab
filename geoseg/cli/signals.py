"""Signals that ask a program to end: what Ctrl-C is to a terminal.

Batch systems and containers send SIGTERM, a terminal that is closed SIGHUP. Either ends
a job as Ctrl-C does: what is finished is kept, and a sentence says how to go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
"""Windows has the first alone."""
_PAUSE_S = 0.1
"""Seconds until a signal that was swallowed comes again."""


class Stopped(KeyboardInterrupt):  # as Python's own is called
    """Somebody asked the program to end, by a signal other than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        """Remember the signal, which decides the exit status."""
        super().__init__()
        self.number = number


@contextmanager
def signals_raised() -> Iterator[None]:
    """Have these signals raise `Stopped` in the main thread; elsewhere do nothing.

    A signal that is ignored, as SIGHUP is by nohup, stays so.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in _NAMES):
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_again, hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def end_quietly() -> None:
    """Let Ctrl-C end what is left of a program at once: Python's own farewell.

    There, an exception would be a traceback that changes nothing, not even the status.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _again(
    hook: Callable[[sys.UnraisableHookArgs], None], lost: sys.UnraisableHookArgs
) -> None:
    """Send a signal again that a library swallowed, as GDAL's callbacks do."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        hook(lost)
        return
    stop = lost.exc_value
    number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
    sender = threading.Timer(_PAUSE_S, os.kill, (os.getpid(), number))
    sender.daemon = True
    sender.start()


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)
