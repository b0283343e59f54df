"""Cycles: answers go out as uvicorn's own would send them, with the head and the body in one piece."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from dispatcher.web.connections import BoundedProtocol
from dispatcher.web.cycle import Cycle
from dispatcher.web.receiving import read_body

START = "http.response.start"
BODY = "http.response.body"
LONG = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
CLOSES = [*LONG, (b"connection", b"Keep-Alive, Close")]


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": START, "status": status, "headers": headers}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": BODY, "body": data, "more_body": more}


#: What an application sends; it fails where None stands.
ANSWERS: dict[str, list[Any]] = {
    "whole": [start(*LONG), body(b"answer")],
    "in pieces": [start(*LONG, status=206), body(b"answ", more=True), body(b"", more=True), body(b"er")],
    "nothing": [start((b"content-length", b"0"), (b"x-more", b"\xe9t\xe9"), status=503), {"type": BODY}],
    "the last": [start(*CLOSES), body(b"answer")],
    "fails at once": [None],
    "does not answer": [],
    "fails between": [start(*LONG), body(b"answ", more=True), None],
    "ends between": [start(*LONG), body(b"answ", more=True)],
    "goes on": [start(*LONG), body(b"answer"), body(b"more")],
}
REQUESTS = {
    "GET": b"GET /a%20b?c HTTP/1.1\r\nhost: x\r\n\r\n",
    "the last one": b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HEAD": b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST": b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody",
    "POST that waits to be asked": b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
    "POST that has come": b"POST /whole HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody",
    "two": 2 * b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody",
}


class Line(asyncio.Transport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        if not self.is_closed:
            self.written.append(bytes(data))

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def spoken(kind: type[HttpToolsProtocol], request: bytes, answer: list[Any]) -> tuple[Line, list[Any]]:
    """Return what *request* is answered over a connection, and what the application has seen of it."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/whole":
            seen.append(await read_body(scope, receive, {}, 100, 10))
        elif scope["method"] == "POST":
            seen.append(await receive())
        seen.append([scope[name] for name in ("method", "path", "raw_path", "query_string", "http_version", "headers")])
        for message in answer:
            if message is None:
                raise ValueError
            await send(message)

    async def main() -> Line:
        config = uvicorn.Config(application, http=kind, ws="none", lifespan="off", access_log=False, log_config=None)
        protocol, line = kind(config, ServerState(), {}), Line()
        protocol.connection_made(line)
        protocol.data_received(request)
        if not request.endswith(b"body") and b"content-length" in request:
            await asyncio.sleep(0.01)
            protocol.data_received(b"body")
        while protocol.tasks:
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return line

    return asyncio.run(main()), seen


def without_close(line: Line) -> bytes:
    return (
        b"".join(line.written).replace(b"connection: close\r\n", b"").replace(b"connection: Keep-Alive, Close\r\n", b"")
    )


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_answers_are_those_of_uvicorn(request_: str, answer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    line, seen = spoken(BoundedProtocol, REQUESTS[request_], ANSWERS[answer])
    usual, usually_seen = spoken(HttpToolsProtocol, REQUESTS[request_], ANSWERS[answer])

    # Releases of uvicorn differ in when they say that the connection ends.
    assert without_close(line) == without_close(usual)
    assert line.is_closed == usual.is_closed
    assert seen == usually_seen


def test_an_answer_goes_out_in_one_piece() -> None:
    line, _ = spoken(BoundedProtocol, REQUESTS["POST"], ANSWERS["whole"])
    assert len(line.written) == 1


def test_a_large_answer_is_not_copied() -> None:
    large = b"a" * 100_000
    line, _ = spoken(BoundedProtocol, REQUESTS["POST"], [start((b"content-length", b"100000")), body(large)])
    assert line.written[1] == large


def test_what_was_answered_needs_no_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        spoken(BoundedProtocol, 20 * REQUESTS["POST that has come"], ANSWERS["whole"])
        assert sum(isinstance(one, Cycle) for one in gc.get_objects()) <= 1  # the last of the connection
    finally:
        gc.enable()


def test_many_small_pieces_that_wait_take_little_more_than_their_bytes() -> None:
    async def main() -> int:
        done = asyncio.Event()

        async def application(_scope: Any, _receive: Any, _send: Any) -> None:
            await done.wait()

        config = uvicorn.Config(application, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
        protocol = BoundedProtocol(config, ServerState(), {})
        protocol.connection_made(Line())
        protocol.data_received(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        tracemalloc.start()
        for _ in range(50):
            protocol.data_received(500 * b"2\r\nab\r\n")
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        protocol.connection_lost(None)
        done.set()
        while protocol.tasks:
            await asyncio.sleep(0)
        return taken

    assert asyncio.run(main()) < 3 * 50_000


WRONG = {
    "longer": [start(*LONG), body(b"answers")],
    "shorter": [start(*LONG), body(b"repl")],
    "without a length": [start(), body(b"answer")],
    "two lines in one": [start(*LONG, (b"x", b"y\r\nz: 1")), body(b"answer")],
    "no name": [start(*LONG, (b"x: y\r\nz", b"1")), body(b"answer")],
    "two heads": [start(*LONG), start(*LONG), body(b"answer")],
    "no head": [body(b"answer")],
}


@pytest.mark.parametrize("answer", WRONG)
def test_what_is_no_answer_becomes_an_error(answer: str) -> None:
    line, _ = spoken(BoundedProtocol, REQUESTS["GET"], WRONG[answer])
    assert b"".join(line.written).startswith(b"HTTP/1.1 500 ")
    assert line.is_closed
