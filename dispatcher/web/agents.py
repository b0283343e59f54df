"""The agents' listener: an ASGI application in front of the gateway."""

from __future__ import annotations

import asyncio

from dispatcher.agents import protocol
from dispatcher.agents.gateway import Answer, Gateway
from dispatcher.web.receiving import HungUp, Receive, Refused, Scope, Send, read_body, read_headers

#: An agent's message: a report and what JSON adds to it.
MAX_BODY_BYTES = 2 * protocol.MAX_REPORT_BYTES
DEADLINE_S = 30.0


class AgentsApp:
    """Serves ``/agents/v1/``; everything else is 404."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

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
            answer = Answer(refused.status, protocol.dump(refusal))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        prefix, _, name = scope["path"].rpartition("/")
        headers = read_headers(scope["headers"])
        body = await read_body(receive, headers, MAX_BODY_BYTES, DEADLINE_S)
        if prefix != protocol.PATH or scope["method"] != "POST":
            raise Refused(404, "nothing is served here")
        gone = asyncio.ensure_future(_hang_up(receive))
        try:
            return await self._gateway.handle(name, headers.get("authorization", ""), body, gone)
        finally:
            gone.cancel()


async def _hang_up(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
