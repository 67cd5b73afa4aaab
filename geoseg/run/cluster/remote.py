"""A running scheduler, asked who it is before a client is made of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import Client, Security
from distributed.comm.core import connect
from distributed.core import send_recv

from geoseg.errors import ClusterError
from geoseg.run.cluster.presence import NO_PATIENCE, someone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.run.cluster.presence import Patience

_ANSWER_S = 10
"""Seconds that a scheduler has to answer."""


@contextmanager
def remote_client(address: str, patience: Patience = NO_PATIENCE) -> Iterator[Client]:
    """Open the client of a scheduler, once it is certain that there is one.

    A `Client` that fails to connect is garbage with an event loop. Where it is
    collected in the thread that starts the next client's loop, both wait for one lock
    until that start fails. So none is made that is bound to fail.
    """
    _check_scheduler(address)
    try:
        client = Client(address, timeout=_ANSWER_S)
    except (OSError, ValueError) as error:
        raise _silence(address) from error
    with client:
        if not someone(client, patience):
            raise ClusterError(
                f"the scheduler at {address} has no worker; start some with "
                f"'dask worker {address}', or have them waited for by "
                f"`wait_for_workers`"
            )
        yield client


def _check_scheduler(address: str) -> None:
    """Ask who is at an address."""
    try:
        with ThreadPoolExecutor(1) as thread:  # a caller may have a loop of its own
            question = asyncio.wait_for(_identity(address), _ANSWER_S)
            identity = thread.submit(asyncio.run, question).result()
    except Exception as error:  # malformed, refused, silent, or no dask: all are no
        raise _silence(address) from error
    if "workers" not in identity:
        raise ClusterError(
            f"at {address} is no dask scheduler but a {identity['type'].lower()}; give "
            f"the address that 'dask scheduler' shows"
        )


async def _identity(address: str) -> dict[str, Any]:
    arguments = Security().get_connection_args("client")
    comm = await connect(address, timeout=_ANSWER_S, **arguments)
    try:
        identity: dict[str, Any] = await send_recv(comm, op="identity")
    finally:
        comm.abort()
    return identity


def _silence(address: str) -> ClusterError:
    return ClusterError(
        f"no dask scheduler answers at {address} within {_ANSWER_S} s; check the "
        f"address, for instance tcp://10.0.0.1:8786, and that it runs"
    )
