"""Upgrades, over real sockets: none is taken, and a request that offers one is served whole, as if it did not."""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import Any
from uuid import UUID

import pytest

from dispatcher.agents.gateway import Answer
from dispatcher.services.hall import Hall
from dispatcher.web.agents import AgentsApp
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.connections import BoundedProtocol
from dispatcher.web.health import Health
from dispatcher.web.listeners import Listener, listen, serve
from dispatcher.wire.http import BASIC, Request, Response

#: What JDK's HttpClient and ``curl --http2`` say in every request over plain HTTP.
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n"
BODY = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SIZED = (b"Content-Length: %d\r\n" % len(BODY), BODY)
CHUNKED = (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer the method, the path and the body, and whether an upgrade was offered."""
    text, more = f"{scope['method']} {scope['path']} ".encode(), True
    while more:
        message = await receive()
        text, more = text + message.get("body", b""), message.get("more_body", False)
    text += b" upgrade" * any(name == b"upgrade" for name, _ in scope["headers"])
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def exchange(application: Any, sent: bytes, **options: Any) -> bytes:
    """Return all that the *application* answers to what is *sent* on one connection, until the server closes it."""

    async def main() -> bytes:
        listener, is_ready = listen("127.0.0.1", 0), asyncio.Event()

        async def nothing() -> None:
            pass

        serving = asyncio.create_task(
            serve({1: Listener(listener, application)}, ready=is_ready.set, stopping=nothing, **options)
        )
        await is_ready.wait()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            writer.write(sent)
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.close()
            signal.raise_signal(signal.SIGTERM)
            await serving

    return asyncio.run(main())


def bodies(received: bytes) -> list[bytes]:
    """Return the bodies of all answers in what was *received*, each of which has a length and is a success."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        found.append(rest[:length])
        received = rest[length:]
    return found


def last(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nConnection: close\r\n\r\n" % path


@pytest.fixture(params=["whole", "head", "head and a part", "bytes", "pieces"])
def split(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is received comes in these pieces."""
    take = BoundedProtocol.data_received

    def received(self: BoundedProtocol, data: bytes) -> None:
        head = data.find(b"\r\n\r\n") + 4
        one = {"whole": len(data), "head": head, "head and a part": head + 9, "bytes": 1, "pieces": 7}[request.param]
        stops = [one, len(data)] if request.param.startswith("head") else [*range(one, len(data), one), len(data)]
        for start, stop in itertools.pairwise([0, *stops]):
            take(self, data[start:stop])

    monkeypatch.setattr(BoundedProtocol, "data_received", received)


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("body", [SIZED, CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize("following", [b"", last(b"/next")], ids=["alone", "followed"])
def test_a_request_that_offers_an_upgrade_has_its_whole_body(body: tuple[bytes, bytes], following: bytes) -> None:
    offer = H2C if following else H2C.replace(b"Upgrade, ", b"close, Upgrade, ")
    # An empty header too: httptools hands out names when the next one begins.
    sent = b"POST /front HTTP/1.1\r\nHost: x\r\nEmpty:\r\n" + offer + body[0] + b"\r\n" + body[1] + following
    assert bodies(exchange(echo, sent)) == [b"POST /front " + BODY, *[b"GET /next "] * bool(following)]


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0, h2c"])
def test_requests_that_offer_upgrades_follow_each_other(protocol: bytes) -> None:
    offer = H2C.replace(b"h2c", protocol)
    request = b"GET /%d HTTP/1.1\r\n" + offer + b"\r\nPOST /%d HTTP/1.1\r\n" + offer + SIZED[0] + b"\r\n" + BODY
    sent = b"".join(request % (number, number) for number in range(3)) + last(b"/end")
    pairs = [[b"GET /%d " % number, b"POST /%d " % number + BODY] for number in range(3)]
    assert bodies(exchange(echo, sent)) == [*itertools.chain(*pairs), b"GET /end "]


def test_a_large_body_behind_an_offer_is_whole() -> None:
    body = b"z" * 300_000
    head = b"POST / HTTP/1.1\r\nContent-Length: 300000\r\n" + H2C + b"X: " + b"y" * 16_000 + b"\r\n\r\n"
    assert bodies(exchange(echo, head + body + last(b"/"))) == [b"POST / " + body, b"GET / "]


def test_a_head_with_an_offer_is_bounded_as_any() -> None:
    sent = b"POST / HTTP/1.1\r\n" + H2C + b"X: " + b"y" * 17_000
    assert exchange(echo, sent).startswith(b"HTTP/1.1 431 ")


def test_a_half_head_behind_an_offer_is_closed_at_the_deadline() -> None:
    sent = b"POST / HTTP/1.1\r\n" + H2C + SIZED[0] + b"\r\n" + BODY + b"GET / HTTP/1.1\r\n"
    assert bodies(exchange(echo, sent, head_deadline_s=0.1)) == [b"POST / " + BODY]


@pytest.mark.parametrize("target", [b"x:80", b"/front", b"http://x/front"])
@pytest.mark.parametrize("offer", [b"", H2C], ids=["plain", "offer"])
def test_a_tunnel_is_refused_with_all_that_follows(target: bytes, offer: bytes) -> None:
    received = exchange(echo, b"CONNECT %b HTTP/1.1\r\n" % target + offer + SIZED[0] + b"\r\n" + BODY + last(b"/"))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "wrong", [b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n"], ids=["two", "none"]
)
def test_a_body_without_a_certain_end_is_refused_behind_an_offer_too(wrong: bytes) -> None:
    received = exchange(echo, b"POST / HTTP/1.1\r\n" + H2C + wrong + b"\r\n" + BODY)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


class Door:
    """A binding that answers with what it was asked."""

    port = 0
    dialect = "front"
    schemes = (BASIC,)
    prefixes = ("/front",)

    def public_address(self) -> str:
        return ""

    def is_public(self, request: Request) -> bool:
        return True

    def __call__(self, request: Request) -> Response:
        return Response(200, f"{request.method} {request.path} ".encode() + request.body, "text/plain")


class EchoGateway:
    """Answers agents with what they said."""

    async def handle(self, path: str, authorization: str, body: bytes, gone: asyncio.Future[None]) -> Answer:
        return Answer(200, f"POST /{path} ".encode() + body)


@pytest.mark.parametrize("body", [SIZED, CHUNKED], ids=["sized", "chunked"])
def test_the_web_application_takes_what_a_java_client_sends(hall: Hall, body: tuple[bytes, bytes]) -> None:
    door: Any = Door()
    web = WebApp(
        [door], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits(any_host=True, threads=1)
    )
    sent = b"POST /front HTTP/1.1\r\nHost: x\r\n" + H2C + body[0] + b"\r\n" + body[1]
    try:
        received = exchange(web, sent + last(b"/front/next"))
    finally:
        web.close()
    assert bodies(received) == [b"POST /front " + BODY, b"GET /front/next "]


@pytest.mark.parametrize("body", [SIZED, CHUNKED], ids=["sized", "chunked"])
def test_the_agents_listener_takes_what_a_java_client_sends(body: tuple[bytes, bytes]) -> None:
    gateway: Any = EchoGateway()
    sent = b"POST /agents/v1/poll HTTP/1.1\r\nHost: x\r\n" + H2C.replace(b"Upgrade, ", b"close, Upgrade, ")
    assert bodies(exchange(AgentsApp(gateway), sent + body[0] + b"\r\n" + body[1])) == [b"POST /poll " + BODY]
