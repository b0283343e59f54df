"""The agents' listener: bodies are bounded in size and number, polls that wait are not."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson

from dispatcher.agents.gateway import Answer
from dispatcher.web.agents import MAX_BODY_BYTES, AgentsApp
from dispatcher.web.receiving import HANG_UP


class PatientGateway:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()

    async def handle(self, path: str, authorization: str, body: bytes, gone: asyncio.Future[None]) -> Answer:
        await self.answering.wait()
        return Answer(200, b'"%s %d"' % (path.encode(), len(body)))


class Call:
    """One call of an agent. Its body comes when ``finish`` is called."""

    def __init__(self, app: AgentsApp, path: str = "/agents/v1/poll", **headers: str) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self._body = asyncio.get_running_loop().create_future()
        gone = asyncio.get_running_loop().create_future()
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": self.headers}
        scope["extensions"] = {HANG_UP: gone}
        self._task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._body is None:
            await asyncio.sleep(60)
        body, self._body = await self._body, None
        return {"type": "http.request", "body": body}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    def finish(self) -> None:
        self._body.set_result(b"body")

    async def answer(self) -> tuple[int, dict[bytes, bytes], Any]:
        await asyncio.wait_for(self._task, 5)
        return self.sent[0]["status"], dict(self.sent[0]["headers"]), orjson.loads(self.sent[1]["body"])


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_messages_under_way_are_bounded_and_waiting_polls_are_not() -> None:
    async def main() -> None:
        gateway: Any = PatientGateway()
        app = AgentsApp(gateway, max_reading=2)
        calls = []
        for _ in range(5):
            calls.append(Call(app, authorization="Agent someone"))
            calls[-1].finish()
            await settle()
        assert not any(call.sent for call in calls)
        assert not any(call.headers for call in calls), "what nobody needs any more is held as long as the poll waits"
        reading = [Call(app), Call(app)]
        await settle()
        status, headers, body = await Call(app).answer()
        assert (status, headers[b"retry-after"], headers[b"connection"]) == (503, b"5", b"close")
        assert body["error"] == "request.refused"
        for call in reading:
            call.finish()
        gateway.answering.set()
        assert [(await call.answer())[2] for call in calls + reading] == ["poll 4"] * 7

    asyncio.run(main())


def test_what_is_no_call_of_an_agent_is_refused() -> None:
    async def main() -> None:
        gateway: Any = PatientGateway()
        app = AgentsApp(gateway)
        elsewhere = Call(app, "/agents/v2/poll")
        elsewhere.finish()
        assert (await elsewhere.answer())[0] == 404
        assert (await Call(app, content_length=str(MAX_BODY_BYTES + 1)).answer())[0] == 413
        assert (await Call(app, content_length="x").answer())[0] == 400

    asyncio.run(main())
