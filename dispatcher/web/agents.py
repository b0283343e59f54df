"""The agents' listener: an ASGI application in front of the gateway."""

from __future__ import annotations

import asyncio

from dispatcher.agents import protocol
from dispatcher.agents.gateway import Answer, Gateway
from dispatcher.web.receiving import HungUp, Receive, Refused, Scope, Send, read_body, read_headers
from dispatcher.web.sending import send_response
from dispatcher.wire.http import Response

#: An agent's message: a report and what JSON adds to it.
MAX_BODY_BYTES = 2 * protocol.MAX_REPORT_BYTES
DEADLINE_S = 30.0
#: How many messages may be under way from agents; polls that wait for work are whole and do not count.
MAX_READING = 1024


class AgentsApp:
    """Serves ``/agents/v1/``; everything else is 404."""

    def __init__(self, gateway: Gateway, max_reading: int = MAX_READING) -> None:
        self._gateway = gateway
        self._max_reading = max_reading
        self._reading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except HungUp:
            return
        except Refused as refused:
            refusal = protocol.Refusal(error=refused.code, message=refused.message)
            await send_response(send, _response(refused.status, protocol.dump(refusal), ("Connection", "close")))
        else:
            await send_response(send, _response(answer.status, answer.body))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        prefix, _, name = scope["path"].rpartition("/")
        headers = read_headers(scope["headers"])
        body = await self._read_body(receive, headers)
        if prefix != protocol.PATH or scope["method"] != "POST":
            raise Refused(404, "nothing is served here")
        gone = asyncio.ensure_future(_hang_up(receive))
        try:
            return await self._gateway.handle(name, headers.get("authorization", ""), body, gone)
        finally:
            gone.cancel()

    async def _read_body(self, receive: Receive, headers: dict[str, str]) -> bytes:
        if self._reading >= self._max_reading:
            raise Refused(503, "too many messages are under way")
        self._reading += 1
        try:
            return await read_body(receive, headers, MAX_BODY_BYTES, DEADLINE_S)
        finally:
            self._reading -= 1


def _response(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    return Response(status, body, "application/json", list(headers))


async def _hang_up(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
