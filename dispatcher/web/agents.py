"""The agents' listener: an ASGI application in front of the gateway."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from dispatcher.agents import protocol
from dispatcher.agents.gateway import Answer, Gateway
from dispatcher.web.receiving import HANG_UP, HungUp, Receive, Refused, Scope, Send, read_body, read_headers
from dispatcher.web.sending import send_response
from dispatcher.wire.http import Response

#: An agent's message: a report and what JSON adds to it.
MAX_BODY_BYTES = 2 * protocol.MAX_REPORT_BYTES
DEADLINE_S = 30.0
CONTENT_PATH = f"{protocol.PATH}/content"
#: How much of a content is in memory at once for each agent that fetches it.
PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(?=\d|-\d)(\d{0,18})-(\d{0,18})")
#: How many messages may be under way from agents; polls that wait for work are whole and do not count.
MAX_READING = 1024


class AgentsApp:
    """Serves ``/agents/v1/``; everything else is 404. Its connections are ``connections.BoundedProtocol``'s."""

    def __init__(self, gateway: Gateway, max_reading: int = MAX_READING) -> None:
        self._gateway = gateway
        self._max_reading = max_reading
        self._reading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            return
        try:
            prefix, _, name = scope["path"].rpartition("/")
            if prefix == CONTENT_PATH and scope["method"] in ("GET", "POST"):
                await self._content(name, scope, receive, send)
                return
            # A poll may wait for minutes, and there are thousands of them: nothing of its message is kept here.
            answer = await self._gateway.handle(*await self._read_call(scope, receive), scope["extensions"][HANG_UP])
        except HungUp:
            return
        except Refused as refused:
            refusal = protocol.Refusal(error=refused.code, message=refused.message)
            await send_response(send, _response(refused.status, protocol.dump(refusal), ("Connection", "close")))
        else:
            await send_response(send, _response(answer.status, answer.body))

    async def _read_call(self, scope: Scope, receive: Receive) -> tuple[str, str, bytes]:
        """Return the name, the credentials and the body of a call; *scope* has no headers any more then."""
        prefix, _, name = scope["path"].rpartition("/")
        headers = read_headers(scope["headers"])
        body = await self._read_body(scope, receive, headers)
        if prefix != protocol.PATH or scope["method"] != "POST":
            raise Refused(404, "nothing is served here")
        scope["headers"].clear()
        return name, headers.get("authorization", ""), body

    async def _content(self, sha256: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a content, or the part of it that is asked for, a piece at a time."""
        headers = read_headers(scope["headers"])
        await self._read_body(scope, receive, headers)
        size = await self._gateway.content_size(sha256, headers.get("authorization", ""))
        if isinstance(size, Answer):
            await send_response(send, _response(size.status, size.body))
            return
        part = read_range(headers.get("range", ""), size)
        if part is None:
            await send_response(send, Response(416, b"", "", [("Content-Range", f"bytes */{size}")]))
            return
        await send(_content_start(part, size, is_part=_RANGE.fullmatch(headers.get("range", "")) is not None))
        gone = scope["extensions"][HANG_UP]
        for offset in range(part.start, part.stop, PIECE_BYTES):
            length = min(PIECE_BYTES, part.stop - offset)
            data = await self._gateway.read_content(sha256, offset, length)
            await send({"type": "http.response.body", "body": data, "more_body": True})
            if gone.done():
                return
        await send({"type": "http.response.body", "body": b""})

    async def _read_body(self, scope: Scope, receive: Receive, headers: dict[str, str]) -> bytes:
        if self._reading >= self._max_reading:
            raise Refused(503, "too many messages are under way")
        self._reading += 1
        try:
            return await read_body(scope, receive, headers, MAX_BODY_BYTES, DEADLINE_S)
        finally:
            self._reading -= 1


def read_range(header: str, size: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for, of *size*; all of them if it is no single range of bytes.

    None if there are no such bytes.
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return range(size)
    if not match[1]:
        return range(max(0, size - int(match[2])), size) if int(match[2]) and size else None
    first, last = int(match[1]), int(match[2] or size)
    if match[2] and last < first:
        return range(size)  # no range at all, as HTTP says
    return range(first, min(last + 1, size)) if first < size else None


def _content_start(part: range, size: int, *, is_part: bool) -> MutableMapping[str, Any]:
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", str(len(part)).encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if is_part:
        headers.append((b"content-range", f"bytes {part.start}-{part.stop - 1}/{size}".encode()))
    return {"type": "http.response.start", "status": 206 if is_part else 200, "headers": headers}


def _response(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    return Response(status, body, "application/json", list(headers))
