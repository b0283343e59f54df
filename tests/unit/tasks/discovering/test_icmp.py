"""ICMP: real echoes of loopback, and what is not permitted."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from pathlib import Path

import pytest
from needed import missing

from dispatcher.tasks.discovering.attached import Attached
from dispatcher.tasks.discovering.icmp import NotPermitted, Pinger, checksum, open_socket
from dispatcher.tasks.discovering.probes import Answer, Waiting

ONCE = Waiting(2.0, 1)
NOBODY = 65_534


@pytest.fixture
def _may_ping() -> None:
    try:
        open_socket(socket.AF_INET).close()
    except NotPermitted:
        missing("the right to send echo requests")


def ask(*addresses: str, waiting: Waiting = ONCE, pinger: Pinger | None = None) -> list[Answer | None]:
    async def all_of_them() -> list[Answer | None]:
        asked = pinger or Pinger()
        try:
            return await asyncio.gather(*(asked.ask(address, waiting) for address in addresses))
        finally:
            await asked.close()

    return asyncio.run(all_of_them())


@pytest.mark.usefixtures("_may_ping")
def test_computer_echoes() -> None:
    assert ask("127.0.0.1") == [Answer()]


@pytest.mark.usefixtures("_may_ping")
def test_ipv6_computer_echoes() -> None:
    assert ask("::1") == [Answer()]


@pytest.mark.usefixtures("_may_ping")
def test_thousand_are_asked_by_one_socket() -> None:
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    opened = []

    def opener(family: socket.AddressFamily) -> socket.socket:
        opened.append(family)
        return open_socket(family)

    assert ask(*addresses, pinger=Pinger(opener)) == [Answer()] * 1000
    assert opened == [socket.AF_INET]


def swallow(monkeypatch, sent: list) -> None:
    """Have nothing sent, but noted."""

    async def swallow(self: object, stream: socket.socket, packet: bytes, target: object) -> int:
        sent.append((packet, target))
        return len(packet)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_sendto", swallow)


def test_silence_is_believed_after_all_tries(monkeypatch) -> None:
    sent = []

    swallow(monkeypatch, sent)
    loop_time = []

    async def timed() -> Answer | None:
        pinger = Pinger(lambda family: socket.socket(family, socket.SOCK_DGRAM))
        begin = asyncio.get_running_loop().time()
        try:
            return await pinger.ask("127.0.0.1", Waiting(0.05, 3))
        finally:
            loop_time.append(asyncio.get_running_loop().time() - begin)
            await pinger.close()

    assert asyncio.run(timed()) is None
    assert len(sent) == 3
    assert 0.15 <= loop_time[0] < 1
    assert len({packet[8:] for packet, _ in sent}) == 1  # a late answer to the first counts as well
    assert all(checksum(packet) == 0 for packet, _ in sent)


@pytest.mark.usefixtures("_may_ping")
def test_no_more_are_sent_in_a_second_than_said() -> None:
    addresses, begin = [f"127.1.0.{number}" for number in range(1, 165)], time.monotonic()
    assert ask(*addresses, pinger=Pinger(per_s=200)) == [Answer()] * 164
    # Of a burst of 64 nothing is waited for; the other hundred take half a second.
    assert 0.5 <= time.monotonic() - begin < 2


def test_what_found_no_room_here_is_sent_again(monkeypatch) -> None:
    sent = []

    async def full(self: object, stream: socket.socket, packet: bytes, target: object) -> int:
        sent.append(packet)
        raise OSError(errno.ENOBUFS, "No buffer space available")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_sendto", full)
    pinger = Pinger(lambda family: socket.socket(family, socket.SOCK_DGRAM))
    begin = time.monotonic()
    assert ask("127.0.0.1", waiting=Waiting(0.05, 3), pinger=pinger) == [None]
    assert len(sent) == 3
    assert time.monotonic() - begin >= 0.15


def test_neighbours_are_waited_for_fewer_at_a_time(monkeypatch) -> None:
    sent = []
    swallow(monkeypatch, sent)
    monkeypatch.setattr("dispatcher.tasks.discovering.icmp.MOST_ATTACHED", 10)
    row = "eth0\t0001007F\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"  # 127.0.1.0/24, as if it was attached
    pinger = Pinger(lambda family: socket.socket(family, socket.SOCK_DGRAM), attached=Attached(f"Iface\n{row}\n"))
    near, far = ([f"127.0.{net}.{number}" for number in range(30)] for net in (1, 2))
    monkeypatch.setattr("ipaddress.IPv4Address.is_loopback", False)

    async def cut_off() -> None:
        asking = [asyncio.create_task(pinger.ask(address, Waiting(5, 1))) for address in near + far]
        await asyncio.sleep(0.2)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await pinger.close()

    asyncio.run(cut_off())
    asked = {target[0] for _, target in sent}
    assert len(asked & set(near)) == 10
    assert asked >= set(far)


def test_echoes_that_were_not_asked_for_count_for_nobody(monkeypatch) -> None:
    swallow(monkeypatch, [])

    async def forged() -> Answer | None:
        # The answers come from a socket of this test: a datagram in place of an ICMP message.
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        here.bind(("127.0.0.1", 0))
        pinger = Pinger(lambda family: here)
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asking = asyncio.create_task(pinger.ask("127.0.0.9", Waiting(0.3, 1)))
        await asyncio.sleep(0.05)
        token = next(iter(pinger._echoes[socket.AF_INET]._waiting))
        for message in (
            b"",
            b"\x00",
            struct.pack("!BBHHH", 8, 0, 0, 0, 0) + token,
            bytes(8) + bytes(16),
            bytes(8) + token,
        ):
            other.sendto(message, here.getsockname())  # the last is right, but from 127.0.0.1
        try:
            return await asking
        finally:
            other.close()
            await pinger.close()

    assert asyncio.run(forged()) is None


def test_without_any_right_it_says_so() -> None:
    def opener(family: socket.AddressFamily) -> socket.socket:
        raise NotPermitted("no")

    with pytest.raises(NotPermitted):
        ask("127.0.0.1", pinger=Pinger(opener))


def test_family_that_is_not_there_reaches_nobody() -> None:
    def opener(family: socket.AddressFamily) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    assert ask("::1", pinger=Pinger(opener)) == [None]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="there are no such users")
def test_who_is_nobody_gets_what_the_system_allows() -> None:
    file = Path("/proc/sys/net/ipv4/ping_group_range")
    first, last = map(int, file.read_text().split()) if file.exists() else (1, 0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        groups = {os.getegid(), *os.getgroups()}
        if any(first <= group <= last for group in groups):
            with open_socket(socket.AF_INET) as stream:
                assert stream.type is socket.SOCK_DGRAM
        else:
            with pytest.raises(NotPermitted):
                open_socket(socket.AF_INET)
    finally:
        if is_root:
            os.seteuid(0)
