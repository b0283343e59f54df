"""Listeners: the sockets of one dispatcher, all served by one loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dispatcher.web.receiving import HANG_UP, MAX_HEADER_BYTES

#: How long open requests may take to end when the server stops, in seconds.
GRACE_S = 5
#: How long the head of a request may take, in seconds.
HEAD_DEADLINE_S = 30.0


class _Server(uvicorn.Server):
    """A uvicorn server whose signals are somebody else's business: several of them share one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds for what comes before it calls the application.

    A head of more than 16 KiB is answered 431; so is as much between the pieces of a body (trailers, extensions). A
    connection whose first byte does not come within the keep-alive time, or whose head is not whole ``deadline_s``
    after its first byte, is closed.

    Every scope has the extension ``receiving.HANG_UP``: a future that is done when the client has gone.
    """

    # In slots: with more attributes in their dictionaries than now, Python would not let all connections share the keys
    # of these, and each would take two kilobytes more.
    __slots__ = ("_deadline", "_extensions", "_gone", "_in_head", "_in_message", "_unread")
    deadline_s = HEAD_DEADLINE_S

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = 0  # bytes since the parser last had something whole
        self._in_message = False  # between the end of a head and the end of its body
        self._in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._gone: asyncio.Future[None] = self.loop.create_future()
        self._extensions: Any = {HANG_UP: self._gone}
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines, and tell those who wait."""
        self._unset_keepalive_if_required()
        self._set_deadline(wanted=False)
        if not self._gone.done():
            self._gone.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, never with more than may still come."""
        rest = memoryview(data)
        self._in_head = self._in_head or not self._in_message
        while rest and not self.transport.is_closing():
            part, rest = rest[: MAX_HEADER_BYTES - self._unread], rest[MAX_HEADER_BYTES - self._unread :]
            self._unread += len(part)
            super().data_received(bytes(part))
            if self._unread >= MAX_HEADER_BYTES and not self.transport.is_closing():
                self._refuse()
        self._set_deadline(wanted=self._in_head and not self.transport.is_closing())

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head = True
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._unread, self._in_head, self._in_message = 0, False, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that a piece of the body has come."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the next head may come."""
        self._unread, self._in_message = 0, False
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # nobody may ask for more of it: only so is the end of the connection seen

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self) -> None:
        if not self._is_answering():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _set_deadline(self, *, wanted: bool) -> None:
        if wanted and self._deadline is None:
            self._deadline = self.loop.call_later(self.deadline_s, self._head_is_late)
        elif not wanted and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._is_answering():  # a pipelined head, or an empty line after a body: the answer goes out first
            self._set_deadline(wanted=True)
        else:
            self.transport.close()


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
) -> None:
    """Serve each ASGI application on its socket until SIGINT or SIGTERM.

    *ready* is called once all accept; *stopping*, before any of them stops accepting. A request's head may take
    *head_deadline_s* seconds.
    """
    servers = [_server(application, tls, head_deadline_s) for _, application in listeners]
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
