"""Listeners: the sockets of one dispatcher, all served by one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

from dispatcher.web.connections import HEAD_DEADLINE_S, BoundedProtocol

#: How long open requests may take to end when the server stops, in seconds.
GRACE_S = 5
#: How often a server sets the date that its answers have, in seconds.
TICK_S = 1.0


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are somebody else's business: several of them share one process.

    It is told to end: uvicorn's own look for that ten times a second, which is most of what they do when idle.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopped.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), TICK_S)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that listens on *host* and *port* (0 for any free one).

    With *shared*, other processes of this user may listen there as well, and connections are dealt out to all.

    :raises OSError: if the address is taken or is not this machine's.
    """
    listener = bind(host, port, shared=shared)
    try:
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return listener


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that has *host* and *port*, as ``listen`` does, and takes no connections yet.

    :raises OSError: if the address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return listener


async def serve(
    listeners: list[tuple[socket.socket, Any]],
    *,
    tls: tuple[str, str] | None,
    ready: Callable[[], None],
    stopping: Callable[[], Awaitable[None]],
    head_deadline_s: float = HEAD_DEADLINE_S,
    again_kills: bool = True,
) -> None:
    """Serve each ASGI application on its socket until SIGINT or SIGTERM.

    *ready* is called once all accept; *stopping*, before any of them stops accepting. A request's head may take
    *head_deadline_s* seconds. With *again_kills* a second signal ends the process at once, whatever it is doing.
    """
    servers = [_server(application, tls, head_deadline_s) for _, application in listeners]
    stopped = _on_signal(again_kills=again_kills)
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
        server.stop()
    await asyncio.gather(*tasks)


def _server(application: Any, tls: tuple[str, str] | None, head_deadline_s: float) -> _Server:
    certificate, key = tls or (None, None)
    # A class with the deadline in it: uvicorn hands protocols nothing but its own configuration.
    protocol = type("Protocol", (BoundedProtocol,), {"deadline_s": head_deadline_s})
    return _Server(
        uvicorn.Config(
            application,
            access_log=False,
            log_config=None,
            http=protocol,
            ws="none",
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )


def _on_signal(*, again_kills: bool) -> asyncio.Future[None]:
    """Return a future that SIGINT or SIGTERM fulfils; with *again_kills* the next one is nobody's, and deadly.

    One that is ignored stays so: a shell has what runs in its background ignore SIGINT.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    names = [name for name in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(name) is not signal.SIG_IGN]

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)
            for name in names if again_kills else ():
                signal.signal(name, signal.SIG_DFL)

    for name in names:
        try:
            loop.add_signal_handler(name, stop)
        except NotImplementedError:  # Windows: the loop has no signal handlers
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop))
    return stopped
