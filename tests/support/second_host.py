"""A second host, as far as Linux can pretend: another network, another disk.

It is a network namespace with an address of its own, in which the folder of the test is
empty. It takes root, or what else may make namespaces.
"""

from __future__ import annotations

import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class SecondHost:
    """A host beside this one."""

    namespace: str
    here: str
    """This host's address, as the other one reaches it."""
    there: str
    """Its own address."""

    def start(self, *command, hidden, environment, log):
        """Start a program there, to which a folder of this host is empty."""
        inside = ("ip", "netns", "exec", self.namespace)
        script = 'mount -t tmpfs tmpfs "$1" && cd / && shift && exec "$@"'
        return subprocess.Popen(
            [*inside, "sh", "-c", script, "sh", str(hidden), *map(str, command)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def second_host():
    """Make one, and take it away again.

    Raises:
        OSError: It cannot be made here.
        CalledProcessError: The same.

    """
    name = f"geoseg-{secrets.token_hex(3)}"
    network = f"10.213.{secrets.randbelow(250)}"
    here, there = f"{network}.1", f"{network}.2"
    pair = f"g{name[-6:]}a", f"g{name[-6:]}b"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", pair[0], "type", "veth", "peer", "name", pair[1])
        _ip("link", "set", pair[1], "netns", name)
        _ip("addr", "add", f"{here}/24", "dev", pair[0])
        _ip("link", "set", pair[0], "up")
        inside = ("netns", "exec", name, "ip")
        _ip(*inside, "addr", "add", f"{there}/24", "dev", pair[1])
        _ip(*inside, "link", "set", pair[1], "up")
        _ip(*inside, "link", "set", "lo", "up")
        yield SecondHost(name, here, there)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=9)
