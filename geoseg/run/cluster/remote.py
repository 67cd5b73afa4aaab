"""A running scheduler, asked who it is before a client is made of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, Security
from distributed.comm.addressing import get_address_host_port
from distributed.comm.core import FatalCommClosedError, connect
from distributed.core import send_recv

from geoseg.errors import ClusterError
from geoseg.run.cluster.presence import NO_PATIENCE, someone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.options import Certificates
    from geoseg.run.cluster.presence import Patience

_ANSWER_S = 10
"""Seconds that a scheduler has to answer."""
_TLS = "tls://"
_OF_ITS_AUTHORITY = (
    " and certificates that its authority signed (with others a worker ends, and logs "
    "'TLS certificate does not match')"
)


@contextmanager
def remote_client(
    address: str,
    patience: Patience = NO_PATIENCE,
    certificates: Certificates | None = None,
) -> Iterator[Client]:
    """Open the client of a scheduler, once it is certain that there is one.

    A `Client` that fails to connect is garbage with an event loop. Where it is
    collected in the thread that starts the next client's loop, both wait for one lock
    until that start fails. So none is made that is bound to fail.
    """
    security = _security(address, certificates)
    _check_scheduler(address, security)
    try:
        client = Client(address, timeout=_ANSWER_S, security=security)
    except (OSError, ValueError) as error:
        raise _silence(address) from error
    with client:
        if not someone(client, patience):
            theirs = _OF_ITS_AUTHORITY * address.startswith(_TLS)
            raise ClusterError(
                f"the scheduler at {address} has no worker; start some with "
                f"'dask worker {address}'{theirs}, or have them waited for by "
                f"`wait_for_workers`"
            )
        yield client


def _security(address: str, given: Certificates | None) -> Security:
    """Take certificates, or dask's settings, which may name others."""
    if given is None:
        return Security()
    if None in {given.ca, given.cert, given.key}:
        raise ClusterError(
            "`tls_ca`, `tls_cert` and `tls_key` go together; give all three"
        )
    if not address.startswith(_TLS):
        raise ClusterError(
            f"certificates are for a scheduler at tls://..., and {address} is none; "
            f"start it with certificates, or give no `tls_ca`, `tls_cert` and `tls_key`"
        )
    for name, file in (("ca", given.ca), ("cert", given.cert), ("key", given.key)):
        try:
            Path(str(file)).read_bytes()
        except OSError as error:
            raise ClusterError(
                f"{file} cannot be read ({error.strerror}); give `tls_{name}` a PEM "
                f"file"
            ) from error
    security = Security(
        tls_ca_file=str(given.ca),
        tls_client_cert=str(given.cert),
        tls_client_key=str(given.key),
        require_encryption=True,
    )
    try:
        security.get_connection_args("client")
    except (ssl.SSLError, ValueError) as error:
        raise ClusterError(
            f"{given.ca}, {given.cert} and {given.key} are no certificate of an "
            f"authority, a certificate and its private key ({error}); give PEM files, "
            f"the last two of which belong together"
        ) from error
    return security


def _check_scheduler(address: str, security: Security) -> None:
    """Ask who is at an address."""
    try:
        with ThreadPoolExecutor(1) as thread:  # a caller may have a loop of its own
            question = asyncio.wait_for(_identity(address, security), _ANSWER_S)
            identity = thread.submit(asyncio.run, question).result()
    except FatalCommClosedError as error:
        raise _strangers(address) from error
    except Exception as error:  # malformed, refused, silent, or no dask: all are no
        if address.startswith(_TLS) and _is_open(address):
            raise _strangers(address) from error  # who hangs up on them says no more
        raise _silence(address) from error
    if "workers" not in identity:
        raise ClusterError(
            f"at {address} is no dask scheduler but a {identity['type'].lower()}; give "
            f"the address that 'dask scheduler' shows"
        )


async def _identity(address: str, security: Security) -> dict[str, Any]:
    arguments = security.get_connection_args("client")
    comm = await connect(address, timeout=_ANSWER_S, **arguments)
    try:
        identity: dict[str, Any] = await send_recv(comm, op="identity")
    finally:
        comm.abort()
    return identity


def _is_open(address: str) -> bool:
    """Whether somebody answers at an address, whatever is said then."""
    try:
        where = get_address_host_port(address)
        socket.create_connection(where, timeout=_ANSWER_S).close()
    except (OSError, ValueError):
        return False
    return True


def _strangers(address: str) -> ClusterError:
    return ClusterError(
        f"the scheduler at {address} and this client do not know each other's "
        f"certificates; give `tls_ca`, `tls_cert` and `tls_key` of its cluster"
    )


def _silence(address: str) -> ClusterError:
    theirs = ""
    if address.startswith(_TLS):
        theirs = ", and that `tls_ca`, `tls_cert` and `tls_key` are of its cluster"
    return ClusterError(
        f"no dask scheduler answers at {address} within {_ANSWER_S} s; check the "
        f"address, for instance tcp://10.0.0.1:8786, and that it runs{theirs}"
    )
