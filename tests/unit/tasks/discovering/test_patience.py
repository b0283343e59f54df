"""Patience: how often each question is sent to who says nothing, how long that takes, and what hostility costs."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering import directory_servers
from dispatcher.tasks.discovering.directory import computers
from dispatcher.tasks.discovering.names import Names
from dispatcher.tasks.discovering.netbios import NetbiosProbe
from dispatcher.tasks.discovering.order import DirectoryTarget
from dispatcher.tasks.discovering.probes import Threads, Waiting
from dispatcher.tasks.discovering.snmp import SnmpProbe
from dispatcher.tasks.discovering.tcp_ports import PortScan
from dispatcher.tasks.discovering.windows import WindowsProbe
from dispatcher.tasks.work import TaskFailed

TIMEOUT_S, RETRY = 0.1, 2
TIMES = 1 + RETRY
PATIENCE = Waiting(TIMEOUT_S, TIMES)
TOTAL_S = TIMES * TIMEOUT_S
#: What a busy machine may take longer.
SLACK_S = 0.8
HERE = "127.0.0.1"
LOOPBACK = Networks.parse(["127.0.0.0/8", "::1"])
#: What a computer may hold in memory of one that wants it to hold much, in bytes.
MOST_BYTES = 16 << 20

Ask = Callable[[int, Waiting], object]


def probing(make: Callable[[int], Any], question: str = "ask", about: str = HERE) -> Ask:
    """Asks one question by what *make* makes for a port."""

    async def work(port: int, waiting: Waiting) -> object:
        probe = make(port)
        try:
            return await getattr(probe, question)(about, waiting)
        finally:
            await probe.close()

    return lambda port, waiting: asyncio.run(work(port, waiting))


def names(port: int) -> Names:
    return Names(Threads(), LOOPBACK, (HERE, port))


def look_in_directory(port: int, waiting: Waiting, nameserver: tuple[str, int] | None = None) -> None:
    patience = {"timeout_ms": round(1000 * waiting.timeout_s), "retry": waiting.times - 1}
    target = DirectoryTarget(domain="ad.example" if nameserver else f"{HERE}:{port}", **patience)
    with suppress(TaskFailed, OSError):
        assert [*computers(target, "", LOOPBACK, print, nameserver=nameserver)] == []


def find_controllers(port: int, waiting: Waiting) -> None:
    with suppress(TaskFailed):
        assert directory_servers.places("ad.example", LOOPBACK, (HERE, port), waiting) == []


SNMP = probing(partial(SnmpProbe, ["public"]))
SNMP_TWICE = probing(partial(SnmpProbe, ["public", "private"]))
NETBIOS = probing(NetbiosProbe)
REVERSE = probing(names, about="127.0.0.9")
FORWARD = probing(names, "addresses", "pc.example")
WINDOWS = probing(lambda port: WindowsProbe("", "", Threads(), port))


class Mute:
    """A UDP port on loopback that counts what it hears, and answers as *say* does: nothing, if not told otherwise."""

    def __init__(self, say: Callable[[Mute, bytes, Any], None] = lambda *_: None, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HERE, port))
        self.port: int = self.socket.getsockname()[1]
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, args=(say,), daemon=True)
        self._thread.start()

    def _serve(self, say: Callable[[Mute, bytes, Any], None]) -> None:
        with suppress(OSError):
            while True:
                data, asker = self.socket.recvfrom(65_536)
                if not data:
                    return
                self.heard.append(data)
                say(self, data, asker)

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"", (HERE, self.port))
        self._thread.join(10)
        self.socket.close()


class Host:
    """A TCP port on loopback that takes every connection, counts it, and treats it as *treat* does."""

    def __init__(self, treat: Callable[[socket.socket], None] = lambda _: None) -> None:
        self._server = socket.create_server((HERE, 0))
        self.port: int = self._server.getsockname()[1]
        self.guests: list[socket.socket] = []
        self._treat = treat
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self.guests.append(self._server.accept()[0])
                threading.Thread(target=self._talk, args=(self.guests[-1],), daemon=True).start()

    def _talk(self, guest: socket.socket) -> None:
        with suppress(OSError):
            self._treat(guest)

    def stop(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for guest in self.guests:
            guest.close()


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Have the libraries loaded before anything is measured."""
    for ask in (SNMP, NETBIOS, REVERSE, WINDOWS, look_in_directory):
        host = Host(_garbage)
        ask(host.port, Waiting(0.05, 1))
        host.stop()


@pytest.fixture
def started() -> Iterator[Callable[[Any], Any]]:
    """Stops after the test what it is given."""
    running: list[Any] = []

    def started(one: Any) -> Any:
        running.append(one)
        return one

    yield started
    for one in running:
        one.stop()


def timed(ask: Ask, port: int, waiting: Waiting = PATIENCE) -> float:
    begin = time.monotonic()
    assert not ask(port, waiting)
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("ask", "questions"),
    [
        pytest.param(SNMP, 1, id="snmp"),
        pytest.param(SNMP_TWICE, 2, id="snmp, two communities"),
        pytest.param(NETBIOS, 1, id="netbios"),
        pytest.param(REVERSE, 1, id="dns, a name"),
        pytest.param(FORWARD, 2, id="dns, addresses of both families"),
    ],
)
def test_by_udp_a_question_is_sent_once_and_as_often_again_as_said(ask: Ask, questions: int, started: Any) -> None:
    mute = started(Mute())
    assert TOTAL_S * 0.95 <= timed(ask, mute.port) < TOTAL_S + SLACK_S
    assert len(mute.heard) == questions * TIMES


def test_the_controllers_of_a_domain_are_asked_for_as_often_as_said(started: Any) -> None:
    mute = started(Mute())
    took_s = timed(find_controllers, mute.port)
    assert len(mute.heard) == 3 * TIMES  # who they are, and the addresses of both families
    assert took_s < 3 * TOTAL_S + SLACK_S


def test_a_name_server_that_cannot_tell_is_asked_once(started: Any) -> None:
    def refuse(mute: Mute, data: bytes, asker: Any) -> None:
        mute.socket.sendto(data[:2] + b"\x81\x82" + data[4:], asker)  # SERVFAIL

    mute = started(Mute(refuse))
    assert timed(REVERSE, mute.port, Waiting(2, 3)) < 1.5
    assert len(mute.heard) == 1


def test_a_port_that_is_silent_is_tried_as_often_as_said(hush: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    port = hush()
    tried: list[Any] = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: (tried.append(to), connect(self, to))[1])
    ask = probing(lambda port: PortScan([port], 10))
    assert TOTAL_S * 0.95 <= timed(ask, port) < TOTAL_S + SLACK_S
    assert tried == [(HERE, port)] * TIMES
    tried.clear()
    assert TOTAL_S * 0.95 <= timed(WINDOWS, port) < TOTAL_S + SLACK_S
    assert tried == [(HERE, port)] * TIMES


@pytest.mark.parametrize(
    ("ask", "more"), [pytest.param(look_in_directory, 0, id="ldap"), pytest.param(WINDOWS, 1, id="smb")]
)
def test_who_takes_a_connection_and_says_nothing_is_asked_again_as_often_as_said(
    ask: Ask, more: int, started: Any
) -> None:
    host = started(Host())
    assert TOTAL_S * 0.95 <= timed(ask, host.port) < TOTAL_S + SLACK_S
    assert len(host.guests) == TIMES + more  # SMB: whether anybody listens is found out first


def _flood(mute: Mute, data: bytes, asker: Any) -> None:
    for _ in range(40):
        mute.socket.sendto(data[:2] + bytes(60_000), asker)


def _drip(mute: Mute, data: bytes, asker: Any) -> None:
    for _ in range(8):
        mute.socket.sendto(data[:1], asker)
        time.sleep(0.02)


@pytest.mark.parametrize("say", [_flood, _drip])
@pytest.mark.parametrize("ask", [SNMP, NETBIOS, REVERSE])
def test_by_udp_garbage_takes_neither_time_nor_memory(ask: Ask, say: Any, started: Any) -> None:
    mute = started(Mute(say))
    took_s, peak = _peak(lambda: timed(ask, mute.port))
    assert took_s < TOTAL_S + SLACK_S
    assert peak < MOST_BYTES
    assert 1 <= len(mute.heard) <= TIMES


def _endless(guest: socket.socket) -> None:
    while True:  # the length of a message of LDAP, of SMB, and more of it than anybody wants
        guest.sendall(b"\x30\x84\x7f\xff\xff\xff" + bytes(1 << 20))


def _lies(guest: socket.socket) -> None:
    guest.sendall(b"\x00\x00\xff\xff\xfeSMB")
    _trickles(guest)


def _trickles(guest: socket.socket) -> None:
    while True:
        guest.sendall(b"\x00")
        time.sleep(0.02)


def _garbage(guest: socket.socket) -> None:
    guest.sendall(b"\xff\x00garbage\r\n" * 6_000)
    guest.recv(1)


@pytest.mark.parametrize("treat", [_endless, _lies, _trickles, _garbage])
@pytest.mark.parametrize("ask", [look_in_directory, WINDOWS])
def test_by_tcp_garbage_takes_neither_time_nor_memory(ask: Ask, treat: Any, started: Any) -> None:
    host = started(Host(treat))
    took_s, peak = _peak(lambda: timed(ask, host.port))
    assert took_s < TOTAL_S + SLACK_S
    assert peak < MOST_BYTES


def test_a_name_server_that_trickles_by_tcp_ends_in_time(started: Any) -> None:
    host = started(Host(_trickles))

    def truncate(mute: Mute, data: bytes, asker: Any) -> None:
        mute.socket.sendto(data[:2] + b"\x87\x80" + data[4:], asker)  # the rest is to be had by TCP

    mute = started(Mute(truncate, host.port))
    assert timed(REVERSE, host.port) < 2 * TOTAL_S + SLACK_S
    assert mute.heard
    assert host.guests


def _peak(work: Callable[[], float]) -> tuple[float, int]:
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
