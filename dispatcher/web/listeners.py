"""Listeners: the sockets of one dispatcher, all served by one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

#: How long open requests may take to end when the server stops, in seconds.
GRACE_S = 5


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are somebody else's business: several of them share one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port* (0 for any free one).

    :raises OSError: if the address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    listeners: list[tuple[socket.socket, Any]],
    *,
    tls: tuple[str, str] | None,
    ready: Callable[[], None],
    stopping: Callable[[], Awaitable[None]],
) -> None:
    """Serve each ASGI application on its socket until SIGINT or SIGTERM.

    *ready* is called once all accept; *stopping*, before any of them stops accepting.
    """
    certificate, key = tls or (None, None)
    servers = [
        _Server(
            uvicorn.Config(
                application,
                access_log=False,
                log_config=None,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_S,
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )
        for _, application in listeners
    ]
    stopped = _on_signal()
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, (listener, _) in zip(servers, listeners, strict=True)
    ]
    while not all(server.started for server in servers) and not any(task.done() for task in tasks):
        await asyncio.sleep(0.005)
    ready()
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    await stopping()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


def _on_signal() -> asyncio.Future[None]:
    """Return a future that SIGINT or SIGTERM fulfils."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stop)
        except NotImplementedError:  # Windows: the loop has no signal handlers
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop))
    return stopped
