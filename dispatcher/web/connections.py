"""Connections: uvicorn's HTTP protocol, with bounds for what comes before it calls the application, and small ones.

Thousands of agents wait here at the same time, so what a connection holds while its answer is awaited counts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dispatcher.web.cycle import Cycle, Event
from dispatcher.web.receiving import HANG_UP, MAX_HEADER_BYTES, WHOLE, Receive, Scope, Send
from dispatcher.web.sending import send_response
from dispatcher.wire.http import Response

#: How long the head of a request may take, in seconds.
HEAD_DEADLINE_S = 30.0


class _Flow(FlowControl):
    """uvicorn's flow control, with a smaller event."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._is_writable_event: Any = Event()
        self._is_writable_event.set()


_TEXT = "text/plain; charset=utf-8"
#: What waits where nothing does: a queue takes 600 bytes even then.
_NONE_WAIT: deque[Any] = deque()


@lru_cache(maxsize=64)
def _same(address: Any) -> Any:
    """Return the one tuple for an *address* of ours that all its connections share."""
    return address


def _new_parser(protocol: HttpToolsProtocol) -> Any:
    """Return a parser as uvicorn makes it."""
    parser = httptools.HttpRequestParser(protocol)
    if hasattr(parser, "set_dangerous_leniencies"):  # from httptools 0.6.3 on
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _unserved(version: str, headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    """Return the answer to a request of another *version*, or whose *headers* tell of a coding that nobody decodes.

    The parser takes both, of versions 0.9 and 2.0. It refuses itself what has no certain end: a body whose last coding
    is not chunked. Whoever goes on sending a long body may find the connection closed, and not see the answer.
    """
    if version not in ("1.1", "1.0"):
        return Response(505, b"only HTTP/1.0 and HTTP/1.1 are understood\n", _TEXT)
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings in ([], [b"chunked"]):
        return None
    return Response(501, b"of all transfer codings only chunked is understood\n", _TEXT)  # RFC 9112, 6.1


def _answering(response: Response) -> Any:
    """Return an ASGI application that answers *response*, whatever it is asked: in its turn, as all others do."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        await send_response(send, response)

    return application


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds for what comes before it calls the application.

    A head of more than 16 KiB is answered 431; so is as much between the pieces of a body (trailers, extensions). A
    connection whose first byte does not come within the keep-alive time, or whose head is not whole ``deadline_s``
    after its first byte, is closed.

    No connection is upgraded: a request that offers it is served as if it did not (RFC 9110, 7.8). One of HTTP/0.9
    or 2.0 is answered 505, one in a transfer coding beside chunked 501, and its connection ends.

    Every scope has the extension ``receiving.HANG_UP``: a future that is done when the client has gone. It has
    ``receiving.WHOLE`` once the message has come.

    What uvicorn makes for every connection, and needs between two pieces of data for few, is not kept: the queue of
    pipelined requests, the parser.
    """

    # In slots: with more attributes in their dictionaries than now, Python would not let all connections share the keys
    # of these, and each would take two kilobytes more.
    __slots__ = ("_deadline", "_extensions", "_gone", "_in_head", "_in_message", "_unread")
    cycle: Any  # a ``Cycle``
    scope: Any
    deadline_s = HEAD_DEADLINE_S
    #: Of a listener that is no more, while the server goes on: each connection may ask once more.
    is_retired = False
    parser: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pipeline = _NONE_WAIT
        self._unread = 0  # bytes since the parser last had something whole
        self._in_message = False  # between the end of a head and the end of its body
        self._in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self.server = _same(self.server)
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
        if self.parser is None:
            self.parser = _new_parser(self)
        self._in_head = self._in_head or not self._in_message
        rest: bytes | memoryview = data
        while rest and not self.transport.is_closing():
            most = MAX_HEADER_BYTES - self._unread
            if len(rest) <= most:
                part, rest = bytes(rest), b""
            else:
                rest = memoryview(rest)
                part, rest = bytes(rest[:most]), rest[most:]
            self._unread += len(part)
            while part:
                part = self._feed(part)
            if self._unread >= MAX_HEADER_BYTES and not self.transport.is_closing():
                self._refuse()
        self._set_deadline(wanted=self._in_head and not self.transport.is_closing())
        if not (self._in_head or self._in_message) and self.cycle.keep_alive:
            self.parser = None  # nothing is half read: the next request can begin with a new one

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head = True
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        """Note that the head is whole.

        :raises ValueError: if what follows can be no HTTP: after CONNECT.
        """
        if self.parser.should_upgrade():
            if all(name != b"upgrade" for name, _ in self.headers):
                raise ValueError("no tunnels here")
            return  # it is read again
        self._unread, self._in_head, self._in_message = 0, False, True
        version, url, scope = self.parser.get_http_version(), httptools.parse_url(self.url), self.scope
        if version != "1.1":
            scope["http_version"] = version
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["raw_path"] = url.path
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["query_string"] = url.query or b""
        is_waiting = self._is_answering()
        application, keep_alive = self.app, version == "1.1" and self.parser.should_keep_alive() and not self.is_retired
        if (response := _unserved(version, self.headers)) is not None:
            application, keep_alive = _answering(response), False
        self.cycle = Cycle(self, scope, keep_alive=keep_alive)
        if not is_waiting:
            task = self.loop.create_task(self.cycle.run_asgi(application))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
            return
        if self.pipeline is _NONE_WAIT:
            self.pipeline = deque()
        self.flow.pause_reading()
        self.pipeline.appendleft((self.cycle, application))

    def on_body(self, body: bytes) -> None:
        """Note that a piece of the body has come."""
        self._unread = 0
        if not self.cycle.response_complete:
            self.cycle.take(body)
            if self.cycle.size > HIGH_WATER_LIMIT:
                self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Note that the next head may come."""
        if self.parser.should_upgrade():
            return  # of a message that has not begun
        self._unread, self._in_message = 0, False
        self.scope[WHOLE] = self.cycle.whole
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.set()
        if not self.pipeline:
            self.flow.resume_reading()  # nobody may ask for more of it: only so is the end of the connection seen

    def shutdown(self) -> None:
        """End once the answer that is under way is sent. If there is none: at once, or when retired, after the next.

        What the client has sent by then may not have come yet. It has as long as a head may take.
        """
        if self.is_retired and not self._is_answering():
            self._unset_keepalive_if_required()
            self._set_deadline(wanted=True)
        else:
            super().shutdown()

    def _feed(self, data: bytes) -> bytes:
        """Feed the parser, and return what is to be fed next.

        JDK's HttpClient and ``curl --http2`` offer h2c with a body in HTTP/1.1, which the parser takes for the other
        protocol and goes on after the head: so a new one begins with that head, without the offer.
        """
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            head = self._head_without_upgrade()
            self.parser = _new_parser(self)
            return head + data[upgrade.args[0] :]
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)
        return b""

    def _head_without_upgrade(self) -> bytes:
        parts = [self.parser.get_method(), b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                parts += [name, b":", value, b"\r\n"]
        return b"".join([*parts, b"\r\n"])

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
