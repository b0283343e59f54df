"""Targets: connections that tasks make, to allowed addresses only.

A name is resolved once, and the connection goes to an address that was checked: a name that changes its address
between the check and the connection (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from dispatcher.core.networks import Networks, RefusedByPolicy


def addresses(networks: Networks, host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[str]:
    """Return the addresses of *host* that may be called, in the order of the name service.

    :raises RefusedByPolicy: if none may.
    :raises OSError: if the name cannot be resolved.
    """
    try:
        found = [str(target[0]) for *_, target in socket.getaddrinfo(host, port, type=kind)]
    except UnicodeError:
        raise OSError(f"{host!r:.100} is no name of a computer") from None
    allowed = [address for address in dict.fromkeys(found) if networks.allows(address)]
    if not allowed:
        raise RefusedByPolicy(host, found)
    return allowed


def connect(networks: Networks, host: str, port: int, timeout_s: float | None, **options: Any) -> socket.socket:
    """Return a TCP connection to an allowed address of *host*; *options* as of ``socket.create_connection``.

    :raises RefusedByPolicy: if none may be called.
    :raises OSError: if none answers; the error is that of the last one.
    """
    problem: OSError | None = None
    for address in addresses(networks, host, port):
        try:
            return socket.create_connection((address, port), timeout_s, **options)
        except OSError as error:
            problem = error
    assert problem is not None  # noqa: S101 - there is at least one address
    raise problem
