"""Sending: an answer becomes headers and a body, the same way over ASGI and WSGI."""

from __future__ import annotations

from functools import lru_cache

from dispatcher.web.receiving import Send
from dispatcher.wire.http import RETRY_AFTER, Response


def headers_of(response: Response) -> list[tuple[str, str]]:
    """Return all headers of *response*. Every 503 tells when to come back, whoever made it."""
    return [("Content-Length", str(len(response.body))), *_others_of(response)]


async def send_response(send: Send, response: Response, *, is_last: bool = True) -> None:
    """Send *response* over ASGI. Unless *is_last*, the message that ends it is still to be sent."""
    headers = [(b"content-length", b"%d" % len(response.body)), *map(_encoded, _others_of(response))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": not is_last})


def _others_of(response: Response) -> list[tuple[str, str]]:
    headers = [("Content-Type", response.content_type)] if response.content_type else []
    headers += response.headers
    if response.status == 503 and RETRY_AFTER[0] not in (name for name, _ in headers):
        headers.append(RETRY_AFTER)
    return headers


@lru_cache(64)  # most answers have the same
def _encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    return header[0].lower().encode("latin-1"), header[1].encode("latin-1")
