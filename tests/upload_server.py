"""A listener for the ResourceService in this process, over real sockets. Loaded where tests need one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn

from dispatcher.bindings.ivanti_automation.resource_service import build
from dispatcher.services.hall import Hall
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.connections import BoundedProtocol
from dispatcher.web.health import Health
from dispatcher.web.uploads import UploadLimits

PATH = "/Dispatcher/ResourceService/UploadResource"


@dataclass
class Listener:
    """Where it listens, and what it has logged of errors that nobody expected."""

    port: int
    web: WebApp
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def talk(self, *pieces: bytes, hangs_up: bool = False) -> bytes:
        """Send a POST, its head without the first lines, in *pieces*; return all that comes until the end."""
        with self.connect() as connection:
            first, *rest = pieces
            head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            connection.sendall(head.encode() + first)
            for piece in rest:
                connection.sendall(piece)
            if hangs_up:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@contextmanager
def listening(hall: Hall, folder: Path, limits: UploadLimits) -> Iterator[Listener]:
    """Serve the ResourceService over *hall*."""
    logged: list[dict[str, Any]] = []
    door = build(hall, log=lambda event, **details: logged.append({"event": event, **details}))
    uploads = UploadLimits(limits.max_bytes, limits.at_once, folder)
    web = WebApp(
        [door],
        hall.security,
        hall.access_tokens,
        Health(hall),
        lambda: UUID(int=7),
        Limits(deadline_s=10, uploads=uploads),
    )
    server = uvicorn.Server(uvicorn.Config(web, port=0, log_level="critical", lifespan="off", http=BoundedProtocol))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        pass
    yield Listener(server.servers[0].sockets[0].getsockname()[1], web, logged)
    server.should_exit = True
    thread.join(20)
    web.close()
