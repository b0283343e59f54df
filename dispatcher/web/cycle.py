"""A cycle: one request on a connection and its answer, as ASGI has them.

It takes the place of uvicorn's own, which is general: that one writes heads apart from bodies, and takes 2 KB.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from dispatcher.web.receiving import Scope

#: Up to how many bytes of a body go out in one piece with the head: more are not copied for that (by uvloop).
_TOGETHER = 1 << 16
#: What can be no name of a header (RFC 9110, 5.6.2).
_NO_NAME = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]|^$")
#: Lines of these come again and again.
_USUAL = frozenset({b"content-type", b"date"})
_FAILED = {
    "type": "http.response.start",
    "status": 500,
    "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21"), (b"connection", b"close")],
}


class Event:
    """What ``asyncio.Event`` is, for one that waits: without a queue of those that do, which takes 700 bytes."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Let who waits go on."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Let who waits wait."""
        self._is_set = False

    async def wait(self) -> None:
        """Return once it is set."""
        while not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._waiter = None


class Cycle(Event):
    """A request that *protocol* receives, and its answer. It is set when something has come, or nothing will.

    An answer must have a ``Content-Length``. Its head goes out with the first piece of its body.
    """

    __slots__ = (
        "_head",
        "_left",
        "_piece",
        "_protocol",
        "_waits_to_be_asked",
        "disconnected",
        "is_head_sent",
        "keep_alive",
        "more_body",
        "response_complete",
        "scope",
        "size",
    )

    def __init__(self, protocol: HttpToolsProtocol, scope: Scope, *, keep_alive: bool) -> None:
        self._is_set = False
        self._waiter = None
        self.scope = scope
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.is_head_sent = False
        self.response_complete = False
        self.size = 0  #: bytes of the body that have come and not been asked for
        self._piece: bytes | bytearray = b""
        self._waits_to_be_asked = protocol.expect_100_continue
        self._protocol = protocol
        self._head: MutableMapping[str, Any] | None = None
        self._left = 0  # bytes of the answer's body

    @property
    def message_event(self) -> Event:
        """As which uvicorn's protocol knows it."""
        return self

    def take(self, piece: bytes) -> None:
        """Note that a *piece* of the body has come."""
        if self._piece:  # together: of many small ones a list would take twenty times as much
            if isinstance(self._piece, bytes):
                self._piece = bytearray(self._piece)
            self._piece += piece
        else:
            self._piece = piece
        self.size += len(piece)
        self.set()

    async def run_asgi(self, application: Any) -> None:
        """Have *application* answer the request."""
        try:
            await application(self.scope, self.receive, self.send)
        except BaseException as error:
            self._protocol.logger.error("Exception in ASGI application\n", exc_info=error)
            await self._fail()
        else:
            if not (self.response_complete or self.disconnected):
                self._protocol.logger.error("ASGI callable returned without completing response.")
                await self._fail()
        finally:
            del self._protocol, self.scope  # both have this one: nobody is to wait for the garbage collector

    async def receive(self) -> MutableMapping[str, Any]:
        """Return what has come of the body, as soon as something has; or that the client has gone."""
        self._ask()
        if not (self.disconnected or self.response_complete):
            self._protocol.flow.resume_reading()
            await self.wait()
            self.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    def whole(self) -> bytes | None:
        """Return the body, all of which has come; None if the client has gone. As ``receive``, without waiting."""
        self._ask()
        self.clear()
        return None if self.disconnected else self._taken()

    def _ask(self) -> None:
        if self._waits_to_be_asked and not self._protocol.transport.is_closing():
            self._protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._waits_to_be_asked = False

    def _taken(self) -> bytes:
        body = bytes(self._piece)
        self._piece, self.size = b"", 0
        return body

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send the head of the answer, or a piece of its body.

        :raises RuntimeError: if it is not its turn, has no length, another one, or a header that cannot be one.
        """
        protocol = self._protocol
        if protocol.flow.write_paused and not self.disconnected:
            await protocol.flow.drain()
        if self.disconnected:
            return
        if message["type"] == ("http.response.start" if self._head else "http.response.body") or self.response_complete:
            raise RuntimeError(f"unexpected {message['type']}")
        if self._head is None:
            self._head = message
            self._waits_to_be_asked = False
            return
        head = b"" if self.is_head_sent else self._begun(self._head)
        body = b"" if self.scope["method"] == "HEAD" else message.get("body", b"")
        is_last = not message.get("more_body", False)
        self._left -= len(body)
        if self._left < 0 or (is_last and self._left):
            raise RuntimeError("the answer is not as long as it says")
        if len(body) <= _TOGETHER:
            protocol.transport.write(head + body)
        else:
            protocol.transport.writelines([head, body])
        self.is_head_sent = True
        if is_last:
            self.response_complete = True
            self.set()
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()

    def _begun(self, message: MutableMapping[str, Any]) -> bytes:
        """Return the head of the answer, and note what it says of the rest."""
        lines = [STATUS_LINE[message["status"]]]
        has_close, length = False, None
        for name, value in (*self._protocol.server_state.default_headers, *message["headers"]):
            if name == b"content-length":
                length = int(value)
                lines.append(b"content-length: %d\r\n" % length)
                continue
            lines.append(_usual_line(name, value) if name in _USUAL else _line(name, value))
            if name == b"connection":
                has_close = has_close or b"close" in [token.strip() for token in value.lower().split(b",")]
        if length is None:
            raise RuntimeError("the answer does not say how long it is")
        self._left = 0 if self.scope["method"] == "HEAD" else length
        if has_close:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return b"".join([*lines, b"\r\n"])

    async def _fail(self) -> None:
        if self.is_head_sent:
            self._protocol.transport.close()
            return
        self._head = None
        await self.send(_FAILED)
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})


def _line(name: bytes, value: bytes) -> bytes:
    """Return a line of a head.

    :raises RuntimeError: if it would be another one, or several.
    """
    if _NO_NAME.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"no header: {name!r}")
    return b"%b: %b\r\n" % (name.lower(), value)


_usual_line = lru_cache(64)(_line)
