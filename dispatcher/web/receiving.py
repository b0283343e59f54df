"""Receiving: a request's head and body are taken from the loop under the quotas and one absolute deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from dispatcher.core.errors import DispatcherError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: The extension of a scope that is a future, done when the client has gone: waiting for it takes no task.
HANG_UP = "dispatcher.hang_up"
#: What a scope has once its message has come whole: gives the body, once, without waiting for it, which takes a
#: deadline; None if the client has gone.
WHOLE = "dispatcher.whole"
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
_MOST_DIGITS = 18
#: Headers that most clients send.
_USUAL = ("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host")
_NAMES = {name.encode(): name for name in (*_USUAL, "soapaction", "user-agent")}


class Refused(DispatcherError):
    """The request is refused before anybody looks at what it asks."""

    code = "request.refused"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class HungUp(DispatcherError):
    """The client has gone; nobody reads an answer."""

    code = "request.hung_up"

    def __init__(self) -> None:
        super().__init__("the client has gone")


def read_headers(raw: Collection[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; repeated ones are joined by a comma, as HTTP says.

    :raises Refused: 431 if there are more than the quotas allow.
    """
    headers: dict[str, str] = {}
    if len(raw) > MAX_HEADERS or sum([len(name) + len(value) for name, value in raw]) > MAX_HEADER_BYTES:
        raise Refused(431, f"more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them")
    for name, value in raw:
        key, text = _NAMES.get(name) or name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def read_length(declared: str, max_bytes: int) -> int:
    """Return the length that a ``Content-Length`` header declares.

    :raises Refused: 400 if it is no number, 413 if it is more than *max_bytes*.
    """
    if not (declared.isascii() and declared.isdigit()):
        raise Refused(400, "the Content-Length is no number")
    # Its own length first: Python refuses to read thousands of digits.
    if len(declared) > _MOST_DIGITS or int(declared) > max_bytes:
        raise too_large(max_bytes)
    return int(declared)


def too_large(max_bytes: int) -> Refused:
    """Return the refusal of a message of more than *max_bytes*."""
    return Refused(413, f"the message is larger than {max_bytes} bytes")


async def read_body(
    scope: Scope, receive: Receive, headers: MutableMapping[str, str], max_bytes: int, deadline_s: float
) -> bytes:
    """Return the whole body of the message that *scope* is of.

    :raises Refused: 413 as soon as it is larger than *max_bytes*, 408 if it is not whole after *deadline_s*, 400 if
        its declared length is no number.
    :raises HungUp: if the client goes away before.
    """
    read_length(headers.get("content-length", "0"), max_bytes)
    if WHOLE not in scope:
        return await _in_pieces(receive, max_bytes, deadline_s)
    body: bytes | None = scope[WHOLE]()
    if body is None:
        raise HungUp
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    return body


async def _in_pieces(receive: Receive, max_bytes: int, deadline_s: float) -> bytes:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await next_part(receive, deadline - loop.time())
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise too_large(max_bytes)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def next_part(receive: Receive, left_s: float) -> MutableMapping[str, Any]:
    """Return the next piece of a body.

    :raises Refused: 408 if it does not come within *left_s*.
    :raises HungUp: if the client goes away before.
    """
    try:
        async with asyncio.timeout(max(left_s, 0.0)):
            message = await receive()
    except TimeoutError:
        raise Refused(408, "the message was not received in time") from None
    if message["type"] == "http.disconnect":
        raise HungUp
    return message
