"""What is said while somebody waits for a server that is slow, silent or asked again.

It happens deep below a job, in whatever thread reads. So it goes to Python's logging,
to the logger ``geoseg`` at the level INFO: the command line shows it, and whoever calls
geoseg from Python may.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("geoseg.waiting")
"""Where it is said."""
_LONG_S = 5.0
"""Seconds after which a person wonders."""


def notify(sentence: str) -> None:
    """Say what is waited for, and what follows."""
    LOG.info("%s", sentence)


@contextmanager
def notify_if_long(name: str, then: str) -> Iterator[None]:
    """Say that something takes long, once, where it does.

    Args:
        name: What is waited for, without secrets.
        then: What follows if it does not come.

    """
    words = f"{name} has not answered for {_LONG_S:g} s; {then}"
    timer = threading.Timer(_LONG_S, notify, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
