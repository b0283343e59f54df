"""Listeners, over real sockets: heads are bounded in size and time, and nothing else is."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority

from dispatcher.certificates import tls_context
from dispatcher.web import listeners
from dispatcher.web.listeners import Listener, listen, serve
from dispatcher.web.receiving import HANG_UP, WHOLE

DEADLINE_S = 0.3
#: The paths whose callers have hung up.
hung_up: list[str] = []
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer how long the body is; below ``/slow`` after three deadlines, below ``/whole`` whether it came whole."""
    is_whole, size, more = WHOLE in scope, 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    if scope["path"] == "/until-gone":
        await scope["extensions"][HANG_UP]
        hung_up.append(scope["path"])
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * DEADLINE_S)
    body = b"%d bytes" % size + (b", whole: %d" % is_whole if scope["path"] == "/whole" else b"")
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def with_server(talk: Talk, tls: ssl.SSLContext | None = None, deadline_s: float = DEADLINE_S) -> None:
    """Serve the application while *talk* talks to it, over a bare connection also with *tls*."""

    async def main() -> None:
        listener = listen("127.0.0.1", 0)
        is_ready = asyncio.Event()

        async def nothing() -> None:
            pass

        serving = asyncio.create_task(
            serve(
                {1: Listener(listener, application, tls)},
                ready=is_ready.set,
                stopping=nothing,
                head_deadline_s=deadline_s,
            )
        )
        await is_ready.wait()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            async with asyncio.timeout(20):
                await talk(reader, writer)
        finally:
            writer.close()
            signal.raise_signal(signal.SIGTERM)
            await serving

    asyncio.run(main())


async def answers(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """Return the bodies of the next *count* answers."""
    found = []
    for _ in range(count):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        found.append(await reader.readexactly(int(length.partition(b":")[2])))
    return found


ENDLESS = {
    "a header": (b"GET / HTTP/1.1\r\nx: ", b"y" * 1000),
    "headers": (b"GET / HTTP/1.1\r\n", b"x: y\r\n" * 200),
    "an address": (b"GET /", b"x" * 1000),
    "empty lines": (b"", b"\r\n" * 500),
    "trailers": (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"x: y\r\n" * 200),
    "an extension": (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;", b"x" * 1000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_head_without_end_is_cut_off_at_16_kib(kind: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start, more = ENDLESS[kind]
        writer.write(start + 40 * more)
        received = await reader.read()
        if kind in ("trailers", "an extension"):
            assert received == b""  # the application is at it already
        else:
            assert received.startswith(b"HTTP/1.1 431 ")

    with_server(talk)


def test_a_head_below_the_bound_is_taken_with_a_large_body_in_one_go() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"POST / HTTP/1.1\r\ncontent-length: 300000\r\nx: " + b"y" * 16_000 + b"\r\n\r\n"
        writer.write(2 * (head + b"z" * 300_000))
        assert await answers(reader, 2) == [b"300000 bytes"] * 2

    with_server(talk)


UNSERVED = {
    b"GET / HTTP/2.0\r\n": b"505 ",
    b"GET / HTTP/0.9\r\n": b"505 ",
    b"POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n": b"501 ",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n": b"501 ",
    b"POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\nconnection: upgrade\r\nupgrade: h2c\r\n": b"501 ",
}


@pytest.mark.parametrize("head", UNSERVED)
@pytest.mark.parametrize("before", [0, 1])
def test_other_versions_and_codings_of_bodies_are_refused_in_their_turn(head: bytes, before: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        follows = b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        writer.write(before * b"GET / HTTP/1.1\r\n\r\n" + head + b"\r\n" + follows)
        await answers(reader, before)
        refused = (await reader.read()).lower()
        assert refused.startswith(b"http/1.1 " + UNSERVED[head])
        assert refused.count(b"\r\ndate: ") == 1
        assert b"\r\nconnection: close\r\n" in refused
        assert refused.endswith(b" understood\n")

    with_server(talk)


@pytest.mark.parametrize("coding", [b"chunked", b"CHUNKED", b"\tChunked "])
def test_a_body_in_chunks_is_read_in_any_case(coding: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: %b\r\n\r\n1\r\nx\r\n0\r\n\r\n" % coding)
        assert await answers(reader, 1) == [b"1 bytes"]

    with_server(talk)


def test_any_number_of_pipelined_requests_in_any_pieces_is_answered() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
        stream = 3 * (b"GET / HTTP/1.1\r\nx: " + b"y" * 9_000 + b"\r\n\r\n" + chunked)
        for start in range(0, len(stream), 7_001):
            writer.write(stream[start : start + 7_001])
            await writer.drain()
        assert await answers(reader, 6) == [b"0 bytes", b"5000 bytes"] * 3

    with_server(talk)


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_half_head_is_closed_at_the_deadline_however_it_trickles(start: bytes, before: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(before):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await answers(reader, 1)
        started = asyncio.get_running_loop().time()
        writer.write(start)
        for _ in range(2):
            await asyncio.sleep(DEADLINE_S / 3)
            writer.write(b"\r\n" if start == b"\r\n" else b"x")
        assert await reader.read() == b""
        assert DEADLINE_S * 0.9 <= asyncio.get_running_loop().time() - started < DEADLINE_S * 10

    with_server(talk)


def test_what_has_come_whole_is_said_to_be_and_what_is_still_to_come_is_not() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"POST /whole HTTP/1.1\r\ncontent-length: 5\r\n\r\n"
        writer.write(b"GET /whole HTTP/1.1\r\n\r\n" + head + b"hello")
        assert await answers(reader, 2) == [b"0 bytes, whole: 1", b"5 bytes, whole: 1"]
        writer.write(head + b"he")
        await asyncio.sleep(0.1)
        writer.write(b"llo")
        assert await answers(reader, 1) == [b"5 bytes, whole: 0"]

    with_server(talk)


def test_slow_bodies_slow_answers_and_idle_connections_outlive_the_deadline_of_heads() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The empty line after the body is what some old clients send.
        writer.write(b"POST /slow HTTP/1.1\r\ncontent-length: 2\r\n\r\na")
        await asyncio.sleep(2 * DEADLINE_S)
        writer.write(b"b")
        await asyncio.sleep(0.05)
        writer.write(b"\r\n")
        assert await answers(reader, 1) == [b"2 bytes"]
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await answers(reader, 1) == [b"0 bytes"]
        await asyncio.sleep(2 * DEADLINE_S)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await answers(reader, 1) == [b"0 bytes"]

    with_server(talk)


@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
def test_an_application_learns_that_its_caller_has_hung_up(body: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung_up.clear()
        # The second request of a connection, as the polls of an agent are.
        for path in (b"/", b"/until-gone"):
            writer.write(b"POST %b HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (path, len(body)) + body)
            if path == b"/":
                assert await answers(reader, 1) == [b"%d bytes" % len(body)]
        await writer.drain()
        await asyncio.sleep(0.1)
        assert hung_up == []
        writer.close()
        while not hung_up:
            await asyncio.sleep(0.01)

    with_server(talk)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02"])
def test_a_tls_handshake_ends_at_the_deadline_and_keeps_nobody_waiting(
    tmp_path: Path, caplog: Any, said: bytes
) -> None:
    authority = Authority()
    trusted = ssl.create_default_context(cadata=authority.pem.decode())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = writer.get_extra_info("peername")
        many = [socket.create_connection(place) for _ in range(100)]
        for one in many:
            one.sendall(said)
        writer.write(said)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            trusted.maximum_version = version
            safe_reader, safe_writer = await asyncio.open_connection(*place, ssl=trusted, server_hostname="localhost")
            assert safe_writer.get_extra_info("ssl_object").version() == version.name.replace("v1_", "v1.")
            # The body waits to be asked for.
            safe_writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
            assert await safe_reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            safe_writer.write(b"ab")
            assert await answers(safe_reader, 1) == [b"2 bytes"]
            safe_writer.close()
        assert await reader.read() == b""
        for one in many:
            one.close()

    with_server(talk, tls_context(*authority.issue(tmp_path)), deadline_s=2)
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\0" * 1000])
def test_what_is_no_tls_is_hung_up_on_without_a_word(tmp_path: Path, caplog: Any, said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        assert b"HTTP" not in await reader.read()

    with_server(talk, tls_context(*Authority().issue(tmp_path)), deadline_s=20)
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


def test_a_connection_that_waits_for_its_answer_holds_little() -> None:
    """Ten thousand agents wait: 6,400 bytes each, 200 less than with the cycles of uvicorn."""
    request = b"GET /until-gone HTTP/1.1\r\n" + b"header: value\r\n" * 5 + b"\r\n"
    waiting = 100

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")

        def connect(count: int) -> list[socket.socket]:
            made = [socket.create_connection(address) for _ in range(count)]
            for one in made:
                one.sendall(request)
            return made

        async def until_all_wait(count: int) -> None:
            # Not those that accept connections, whose requests have yet to come.
            while sum("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks()) < count:
                await asyncio.sleep(0.001)

        clients = connect(10)
        await until_all_wait(10)
        tracemalloc.start()
        try:
            clients += connect(waiting)
            await until_all_wait(10 + waiting)
            each = tracemalloc.get_traced_memory()[0] / waiting
        finally:
            tracemalloc.stop()
        for one in clients:
            one.close()
        assert each < 7_200

    with_server(talk)


def test_a_server_is_told_to_end_and_does_not_look_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    usual = listeners._Server.on_tick

    async def on_tick(self: listeners._Server, counter: int) -> bool:
        looks.append(counter)
        return await usual(self, counter)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await answers(reader, 1) == [b"0 bytes"]

    monkeypatch.setattr(listeners, "TICK_S", 3600.0)
    monkeypatch.setattr(listeners._Server, "on_tick", on_tick)
    with_server(talk)
    assert len(looks) == 2  # at the beginning and in the end


async def opened(listeners: listeners.Listeners, key: str) -> int:
    listener = listen("127.0.0.1", 0)
    await listeners.open(key, Listener(listener, application))
    return int(listener.getsockname()[1])


def test_whoever_has_connected_to_a_listener_that_is_replaced_may_ask_once_more() -> None:
    async def main() -> None:
        all_of_them = listeners.Listeners()
        port = await opened(all_of_them, "a")
        half, idle, fresh, asked = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        for reader, writer in (idle, asked):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await answers(reader, 1)
        half[1].write(b"GET / HTTP/1.1\r\nho")
        asked[1].write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        while (await connected(all_of_them)) < 4:
            await asyncio.sleep(0)
        await all_of_them.open("a", Listener(all_of_them.socket("a"), application))
        while await asyncio.sleep(0, (await retired(all_of_them)).servers[0].is_serving()):
            pass
        half[1].write(b"st: x\r\n\r\n")
        for _, writer in (idle, fresh):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(20):
            for reader, writer in (half, idle, fresh, asked):
                answer = await reader.read()
                assert (answer[:13], b"connection: close" in answer) == (b"HTTP/1.1 200 ", True)
                writer.close()
        await all_of_them.stop()

    async def connected(all_of_them: listeners.Listeners) -> int:
        return sum(len(one.server_state.connections) for one in all_of_them._tasks.values())

    async def retired(all_of_them: listeners.Listeners) -> listeners._Server:
        return next(one for one in all_of_them._tasks.values() if one.should_exit)

    asyncio.run(main())


def test_who_asks_nothing_of_a_listener_that_was_replaced_is_hung_up_on() -> None:
    async def main() -> None:
        for deadline_s, ends in ((0.1, False), (60.0, True)):  # at the deadline of heads, or with the server
            all_of_them = listeners.Listeners(deadline_s)
            port = await opened(all_of_them, "a")
            silent = await asyncio.open_connection("127.0.0.1", port)
            silent[1].write(b"GET / HTTP/1.1\r\n" if ends else b"")
            while not any(one.server_state.connections for one in all_of_them._tasks.values()):
                await asyncio.sleep(0)
            await all_of_them.open("a", Listener(all_of_them.socket("a"), application))
            stopping = asyncio.create_task(all_of_them.stop()) if ends else None
            async with asyncio.timeout(20):
                assert await silent[0].read() == b""
            silent[1].close()
            await (stopping or all_of_them.stop())

    asyncio.run(main())


def test_a_listener_that_cannot_begin_leaves_the_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        all_of_them = listeners.Listeners()
        port = await opened(all_of_them, "a")

        async def startup(*_: Any, **__: Any) -> None:
            raise OSError("no more sockets")

        with monkeypatch.context() as patch:
            patch.setattr(listeners._Server, "startup", startup)
            with pytest.raises(OSError, match="no more sockets"):
                await all_of_them.open("a", Listener(all_of_them.socket("a"), application))
        assert not all_of_them.failed.is_set()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await answers(reader, 1) == [b"0 bytes"]
        writer.close()
        await all_of_them.stop()

    asyncio.run(main())
