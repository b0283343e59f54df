"""Datagrams: one socket for many questions, and what strangers may send to it."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from dispatcher.tasks.discovering.datagrams import MOST_NONSENSE, Datagrams, Malformed
from dispatcher.tasks.discovering.probes import Waiting

Answers = Callable[[bytes, int], list[bytes]]


class Peer:
    """Somebody on loopback who gives *answers* to each datagram and its number."""

    def __init__(self, answers: Answers, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        self._answers = answers
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                data, asker = self._socket.recvfrom(65_536)
                if not data:
                    return
                self.heard.append(data)
                for answer in self._answers(data, len(self.heard)):
                    self._socket.sendto(answer, asker)


@pytest.fixture
def a_peer() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def a_peer(answers: Answers, **where: object) -> Peer:
        peers.append(Peer(answers, **where))  # type: ignore[arg-type]
        return peers[-1]

    yield a_peer
    for peer in peers:
        peer.stop()


def read(data: bytes) -> bytes:
    if not data.startswith(b"fine"):
        raise Malformed("not fine")
    return data


def ask(port: int, *hosts: str, timeout_s: float = 0.2, times: int = 2) -> list[bytes | None]:
    """Ask all *hosts* at a time."""

    async def work() -> list[bytes | None]:
        datagrams = Datagrams(port)
        try:
            waiting = Waiting(timeout_s, times)
            return await asyncio.gather(*(datagrams.ask(host, [b"how?"], read, waiting) for host in hosts))
        finally:
            await datagrams.close()

    return asyncio.run(work())


def test_each_answer_goes_to_who_asked_there(a_peer: Callable[..., Peer]) -> None:
    first = a_peer(lambda *_: [b"fine 1"])
    a_peer(lambda *_: [b"fine 2"], host="127.0.0.2", port=first.port)
    assert ask(first.port, "127.0.0.1", "127.0.0.2", "127.0.0.1") == [b"fine 1", b"fine 2", b"fine 1"]
    sixth = a_peer(lambda *_: [b"fine 6"], host="::1")
    assert ask(sixth.port, "::1") == [b"fine 6"]


def test_a_question_is_repeated_and_not_for_ever(a_peer: Callable[..., Peer]) -> None:
    late = a_peer(lambda _, number: [b"fine"] if number == 3 else [])
    assert ask(late.port, "127.0.0.1", timeout_s=0.1, times=3) == [b"fine"]
    deaf = a_peer(lambda *_: [])
    began = time.monotonic()
    assert ask(deaf.port, "127.0.0.1", timeout_s=0.1, times=3) == [None]
    assert 0.25 < time.monotonic() - began < 1
    assert deaf.heard == [b"how?"] * 3


def test_an_answer_may_come_after_nonsense_but_not_after_much(a_peer: Callable[..., Peer]) -> None:
    odd = a_peer(lambda *_: [b"what?", b"", b"fine"])
    assert ask(odd.port, "127.0.0.1") == [b"fine"]
    began = time.monotonic()
    flood = a_peer(lambda *_: [b"what?"] * (MOST_NONSENSE + 1))
    assert ask(flood.port, "127.0.0.1", timeout_s=5) == [None]
    assert time.monotonic() - began < 2
    huge = a_peer(lambda *_: [b"fine" + bytes(60_000)])
    [answer] = ask(huge.port, "127.0.0.1")
    assert answer is not None
    assert len(answer) == 8_192


def test_what_others_send_is_no_answer() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        server.bind(("127.0.0.1", 0))
        stranger.bind(("127.0.0.1", 0))
        askers: list[tuple[str, int]] = []

        def betray() -> None:
            askers.append(server.recvfrom(100)[1])
            stranger.sendto(b"fine", askers[0])

        thread = threading.Thread(target=betray, daemon=True)
        thread.start()
        assert ask(server.getsockname()[1], "127.0.0.1", times=1) == [None]
        thread.join(5)
    assert askers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who does not listen")
def test_a_closed_port_is_not_waited_for_and_no_others_answer_is_lost(a_peer: Callable[..., Peer]) -> None:
    slow = a_peer(lambda _, number: [b"fine"] if number == 2 else [])
    began = time.monotonic()
    closed = [f"127.0.1.{number}" for number in range(1, 100)]
    assert ask(slow.port, *closed, "127.0.0.1", timeout_s=0.5, times=3) == [None] * 99 + [b"fine"]
    assert time.monotonic() - began < 1.2
    assert ask(slow.port, "::1", timeout_s=5) == [None]
    assert time.monotonic() - began < 2


def test_who_still_waits_is_told_when_it_is_closed(a_peer: Callable[..., Peer]) -> None:
    deaf = a_peer(lambda *_: [])

    async def work() -> None:
        datagrams = Datagrams(deaf.port)
        waiting = asyncio.create_task(datagrams.ask("127.0.0.1", [b"how?"], read, Waiting(5, 1)))
        await asyncio.sleep(0.05)
        await datagrams.close()
        await datagrams.close()
        assert await waiting is None
        with pytest.raises(OSError, match="nobody is asked any more"):
            await datagrams.ask("127.0.0.1", [b"how?"], read, Waiting(1, 1))

    asyncio.run(work())


def test_an_asker_who_is_canceled_leaves_nothing_behind(a_peer: Callable[..., Peer]) -> None:
    deaf = a_peer(lambda *_: [])

    async def work() -> None:
        datagrams = Datagrams(deaf.port)
        waiting = asyncio.create_task(datagrams.ask("127.0.0.1", [b"how?"], read, Waiting(5, 1)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert datagrams._waiting == {}
        await datagrams.close()

    asyncio.run(work())
