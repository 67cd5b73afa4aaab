"""Signals that ask a program to end: what Ctrl-C is to a terminal.

Batch systems and containers send SIGTERM, a terminal that is closed SIGHUP. Either ends
a job as Ctrl-C does: what is finished is kept, and a sentence says how to go on.

Python hears of a signal once its main thread is back from the library that it is in,
and leaves when all threads are. GDAL waits for a silent server for minutes. So a thread
watches for the program: what has not ended some seconds after a signal, or gets another
one, ends at once, as by SIGKILL, which outputs and run directories survive.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")
"""Windows has the first alone."""
_PAUSE_S = 0.1
"""Seconds until a signal that was swallowed comes again."""
_GRACE_S = 1.8
"""Seconds in which a program takes its leave by itself."""
_sent_again: list[int] = []
"""The signals that nobody sent but this process, which has lost them once."""


_ASKING = tuple(
    getattr(signal, name) for name in ("SIGINT", *_NAMES) if hasattr(signal, name)
)
"""Those, and Ctrl-C's."""


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


def end_soon(last_words: Callable[[int], bytes]) -> None:
    """Let this process end soon after a signal, and at once after another one.

    For the main thread of a program, once.

    Args:
        last_words: What is written to standard error where the main thread cannot,
            by the number of the signal.

    """
    heard, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(heard, waker, last_words))
    watch.daemon = True
    watch.start()


def _watch(
    heard: socket.socket,
    waker: socket.socket,  # noqa: ARG001  # open as long as the thread lives
    last_words: Callable[[int], bytes],
) -> None:
    """Wait for a first signal, then for another one or the end of patience; end."""
    first = _next(heard)
    heard.settimeout(_GRACE_S)
    with suppress(TimeoutError):
        _next(heard)
    # Threads that do not come back may hold the locks of streams.
    with suppress(OSError):
        os.write(2, last_words(first))
    os._exit(128 + first)


def _next(heard: socket.socket) -> int:
    """Wait for a signal that asks to end, and that somebody sent."""
    while True:
        number = heard.recv(1)[0]
        if number in _sent_again:
            _sent_again.remove(number)
        elif number in _ASKING:
            return number


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
    sender = threading.Timer(_PAUSE_S, _send_again, [number])
    sender.daemon = True
    sender.start()


def _send_again(number: int) -> None:
    _sent_again.append(number)
    if sys.platform == "win32":  # there, os.kill ends a process at once
        signal.raise_signal(number)
    else:
        os.kill(os.getpid(), number)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)
