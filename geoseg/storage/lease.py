"""Who owns a run directory on an object store, where there are no locks.

The owner keeps an object that it rewrites every few seconds. Who finds one that does
not change for a while, or whose process is known to be gone, takes it. Between two who
find so at the same time, and for an owner that slept too long, the journal decides: its
objects have numbers, and each can be created once.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from geoseg.errors import GeosegError, ResumeError

if TYPE_CHECKING:
    from geoseg.storage.bucket import Bucket

OWNER = "owner.json"
_BEAT_S = 4.0
"""Seconds after which the owner says that it is alive."""
_LEASE_S = 15.0
"""Seconds of silence after which it counts as dead."""


class Lease:
    """The right to a run directory, kept up by a thread until it is released."""

    def __init__(self, bucket: Bucket) -> None:
        """Take a run directory, after a while where its owner is silent.

        Raises:
            ResumeError: A live process is using it.
            DiskError: It cannot be reached or written.

        """
        self._bucket = bucket
        self._claim = {
            "owner": secrets.token_hex(8),
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        self._beats = 0
        self._take()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Let others have the run directory."""
        self._stop.set()
        self._thread.join()
        self._bucket.remove([OWNER])

    def _take(self) -> None:
        try:
            self._bucket.create(OWNER, self._content())
        except FileExistsError:
            _wait_for_silence(self._bucket)
            self._bucket.put(OWNER, self._content())

    def _content(self) -> bytes:
        self._beats += 1
        return json.dumps({**self._claim, "beats": self._beats}).encode()

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT_S):
            with suppress(GeosegError, FileNotFoundError):  # the next one may succeed
                self._bucket.put(OWNER, self._content())


def _wait_for_silence(bucket: Bucket) -> None:
    """Return once nobody owns a run directory."""
    if owner := living_owner(bucket):
        raise ResumeError(
            f"{bucket} is in use by process {owner['process']} on "
            f"{owner['host']}; wait for it or choose another run directory"
        )


def living_owner(bucket: Bucket) -> dict[str, str | int]:
    """Say who owns a run directory; empty where nobody has for a while.

    No clocks are compared: an owner is alive where its object changes.
    """
    with suppress(FileNotFoundError):
        first = bucket.get(OWNER)
        owner: dict[str, str | int] = json.loads(first)
        if _is_gone(owner):
            return {}
        end = time.monotonic() + _LEASE_S
        while time.monotonic() < end:
            time.sleep(min(_BEAT_S / 4, 1))
            if bucket.get(OWNER) != first:
                return owner
    return {}


def _is_gone(owner: dict[str, str | int]) -> bool:
    """Whether an owner was a process of this machine that has ended."""
    if owner["host"] != socket.gethostname():
        return False
    return not psutil.pid_exists(int(owner["process"]))
