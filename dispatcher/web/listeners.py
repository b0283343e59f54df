"""Listeners: the sockets of one dispatcher, all served by one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn

from dispatcher.web.connections import HEAD_DEADLINE_S, BoundedProtocol

#: How long open requests may take to end when the server stops, in seconds.
GRACE_S = 5
#: The same when only their listener is replaced, in seconds: longer than an agent waits, and enough for most uploads.
LONG_GRACE_S = 330
#: How often a server sets the date that its answers have, in seconds.
TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, the ASGI application behind it, and its TLS (None: plain HTTP)."""

    socket: socket.socket
    application: Any
    tls: ssl.SSLContext | None = None


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are somebody else's business: several of them share one process.

    It is told to end: uvicorn's own look for that ten times a second, which is most of what they do when idle.
    """

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None, handshake_s: float) -> None:
        super().__init__(config)
        self._tls = tls
        self._handshake_s = handshake_s
        self._stopped = asyncio.Event()

    def retire(self) -> None:
        """Accept no more; what has connected before may still ask once, and for long be answered."""
        self._end(LONG_GRACE_S, is_retired=True)

    def stop(self) -> None:
        """Accept no more, and end soon."""
        self._end(GRACE_S, is_retired=False)
        # One that had retired has told its connections before that they may ask.
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def _end(self, grace_s: int, *, is_retired: bool) -> None:
        self.config.timeout_graceful_shutdown = grace_s
        kind: Any = self.config.http_protocol_class
        kind.is_retired = is_retired
        self.should_exit = True
        self._stopped.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn does, which sets no deadline for handshakes.
        await self.lifespan.startup()
        kind: Any = self.config.http_protocol_class
        new = partial(kind, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        deadline = None if self._tls is None else self._handshake_s
        loop, backlog = asyncio.get_running_loop(), self.config.backlog
        self.servers = [
            await loop.create_server(new, sock=one, ssl=self._tls, backlog=backlog, ssl_handshake_timeout=deadline)
            for one in sockets or []
        ]
        self.started = True

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), TICK_S)


class Listeners:
    """The listeners that this process has, by any key. They may come and go while the others serve.

    A request's head may take *head_deadline_s* seconds, and so may a TLS handshake.
    """

    def __init__(self, head_deadline_s: float = HEAD_DEADLINE_S) -> None:
        self._head_deadline_s = head_deadline_s
        self._open: dict[Hashable, tuple[_Server, socket.socket]] = {}
        self._tasks: dict[asyncio.Task[None], _Server] = {}
        #: Set when one has ended that was not told to.
        self.failed = asyncio.Event()

    async def open(self, key: Hashable, listener: Listener) -> None:
        """Serve *listener*; return when it accepts.

        The one that had the *key* accepts no more from then on. Who has connected to it may ask once more.

        :raises OSError: if it cannot; then its socket is closed, and the one that had the *key* goes on.
        """
        server = _Server(_config(listener.application, self._head_deadline_s), listener.tls, self._head_deadline_s)
        task = asyncio.create_task(server.serve(sockets=[listener.socket]))
        self._tasks[task] = server
        task.add_done_callback(self._note_end)
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if not server.started:
            listener.socket.close()
            await task
        if key in self._open:
            self.close(key)
        self._open[key] = server, listener.socket

    def close(self, key: Hashable) -> None:
        """Accept no more at the listener *key*; who has connected may ask once more."""
        server, _ = self._open.pop(key)
        server.retire()

    def socket(self, key: Hashable) -> socket.socket:
        """Return another socket that listens where the listener *key* does."""
        return self._open[key][1].dup()

    async def stop(self) -> None:
        """End all of them; return when they have."""
        for server in self._tasks.values():
            server.stop()
        # One that was replaced before may be in the middle of its long grace.
        late = asyncio.get_running_loop().call_later(GRACE_S, self._force)
        await asyncio.gather(*self._tasks)
        late.cancel()

    def _force(self) -> None:
        for server in self._tasks.values():
            server.force_exit = True

    def _note_end(self, task: asyncio.Task[None]) -> None:
        server = self._tasks[task]
        if server.should_exit or not server.started:
            del self._tasks[task]
        else:
            self.failed.set()


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
    first: Mapping[Any, Listener],
    *,
    ready: Callable[[], None],
    stopping: Callable[[], Awaitable[None]],
    meanwhile: Callable[[Listeners], Coroutine[Any, Any, None]] | None = None,
    head_deadline_s: float = HEAD_DEADLINE_S,
    again_kills: bool = True,
) -> None:
    """Serve the *first* listeners until SIGINT or SIGTERM.

    *ready* is called once all accept; *stopping*, before any of them stops accepting. *meanwhile* may open and close
    others, until that. With *again_kills* a second signal ends the process at once, whatever it is doing.
    """
    stopped = _on_signal(again_kills=again_kills)
    listeners = Listeners(head_deadline_s)
    for key, listener in first.items():
        await listeners.open(key, listener)
    ready()
    failed = asyncio.create_task(listeners.failed.wait())
    beside = asyncio.create_task(meanwhile(listeners)) if meanwhile else None
    either: list[asyncio.Future[Any]] = [stopped, failed]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    failed.cancel()
    if beside is not None:
        beside.cancel()
        await asyncio.wait([beside])
    await stopping()
    await listeners.stop()


def _config(application: Any, head_deadline_s: float) -> uvicorn.Config:
    # A class with the deadline in it: uvicorn hands protocols nothing but its own configuration.
    protocol = type("Protocol", (BoundedProtocol,), {"deadline_s": head_deadline_s})
    return uvicorn.Config(
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
