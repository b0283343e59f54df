"""Hardware: the tables of neighbours of several systems, as they write them."""

from __future__ import annotations

import asyncio
import socket

import psutil
import pytest

from dispatcher.tasks.discovering.hardware import Neighbours, in_text, normal
from dispatcher.tasks.discovering.probes import Answer, Waiting

ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
198.51.100.1        0x1         0x2         02:42:AC:11:00:02     *        eth0
198.51.100.2        0x1         0x0         00:00:00:00:00:00     *        eth0
198.51.100.3        0x1         0x2         00:00:00:00:00:00     *        eth0
"""
ONCE = Waiting(1.0, 1)


def ask(neighbours: Neighbours, *addresses: str) -> list[Answer | None]:
    async def all_of_them() -> list[Answer | None]:
        return await asyncio.gather(*(neighbours.ask(address, ONCE) for address in addresses))

    return asyncio.run(all_of_them())


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "arp"
    file.write_text(ARP)
    return file


def test_neighbours_are_those_whose_entry_is_complete(table) -> None:
    found = ask(Neighbours(table), "198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "127.0.0.1")
    assert found == [Answer(mac="02:42:ac:11:00:02"), None, None, None, None]


def test_table_is_read_again_for_a_later_question(table) -> None:
    neighbours = Neighbours(table)
    assert ask(neighbours, "198.51.100.4") == [None]
    table.write_text(ARP + "198.51.100.4        0x1         0x2         02:42:ac:11:00:04     *        eth0\n")
    assert ask(neighbours, "198.51.100.4") == [Answer(mac="02:42:ac:11:00:04")]


def test_own_addresses_are_known(table) -> None:
    own = [
        (one.address, link.address)
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        for link in addresses
        if one.family == socket.AF_INET and link.family == psutil.AF_LINK and normal(link.address)
    ]
    neighbours = Neighbours(table)
    assert ask(neighbours, *(address for address, _ in own)) == [Answer(mac=normal(mac)) for _, mac in own]


def test_missing_table_knows_nobody(tmp_path) -> None:
    assert ask(Neighbours(tmp_path / "none"), "198.51.100.1") == [None]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("fe80::1 dev eth0 lladdr 02:42:ac:11:00:02 router REACHABLE", [("fe80::1", "02:42:ac:11:00:02")]),
        ("fe80::2 dev eth0 FAILED", []),
        ("  198.51.100.1            00-1a-2B-3c-4d-5e     dynamic", [("198.51.100.1", "00:1a:2b:3c:4d:5e")]),
        ("? (198.51.100.1) at 0:1a:2b:3:4d:5e on en0 ifscope [ethernet]", [("198.51.100.1", "00:1a:2b:03:4d:5e")]),
        ("198.51.100.255  ff-ff-ff-ff-ff-ff  static", []),
        ("Interface: 198.51.100.7 --- 0x4", []),
        ("fe80::1%en0    0:1a:2b:3:4d:5e     en0 23h59m58s S R", [("fe80::1", "00:1a:2b:03:4d:5e")]),
    ],
)
def test_every_system_writes_them_in_its_own_way(line, found) -> None:
    assert list(in_text(line)) == found


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("00-1A-2B-3C-4D-5E", "00:1a:2b:3c:4d:5e"),
        ("001a2b3c4d5e", "00:1a:2b:3c:4d:5e"),
        ("00:00:00:00:00:00", ""),
        ("FF:FF:FF:FF:FF:FF", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_mac_is_written_in_one_way(text, mac) -> None:
    assert normal(text) == mac
