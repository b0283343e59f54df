"""Fixtures: a name server, ports that are open, and ports that say nothing, all on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from name_server import NameServer


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Sockets that are closed after the test."""
    opened: list[socket.socket] = []
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def listen(sockets: list[socket.socket]) -> Callable[..., int]:
    """Opens a port of an address, by default any that is free; returns it."""

    def listen(address: str = "127.0.0.1", port: int = 0) -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sockets.append(socket.create_server((address, port), family=family))
        return int(sockets[-1].getsockname()[1])

    return listen


@pytest.fixture
def hush(sockets: list[socket.socket]) -> Callable[..., int]:
    """Makes a port of an address that leaves everybody waiting; returns it."""

    def hush(address: str = "127.0.0.1", port: int = 0) -> int:
        server = socket.socket()
        sockets.append(server)
        server.bind((address, port))
        server.listen(0)
        # Who comes when the queue is full gets no answer at all.
        for _ in range(4):
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].connect_ex(server.getsockname())
        return int(server.getsockname()[1])

    return hush


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
