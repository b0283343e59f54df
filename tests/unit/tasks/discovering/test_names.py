"""Names: by a name server of the test, or by the system without anybody else hearing of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering import names as module
from dispatcher.tasks.discovering.names import Names
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Threads, Waiting

LOOPBACK = Networks.parse(["127.0.0.0/8", "::1"])
ONCE = Waiting(1.0, 1)


def addresses(name, server=None, waiting=ONCE):
    async def ask():
        return await Names(Threads(), LOOPBACK, server).addresses(name, waiting)

    return asyncio.run(ask())


def name(address, server=None, waiting=ONCE):
    async def ask():
        return await Names(Threads(), LOOPBACK, server).ask(address, waiting)

    return asyncio.run(ask())


def test_name_server_tells_addresses_of_both_families(name_server) -> None:
    name_server.name("127.0.0.4", "pc.example")
    name_server.name("::1", "pc.example")
    assert addresses("pc.example", ("127.0.0.1", name_server.port)) == ["127.0.0.4", "::1"]


def test_name_with_a_space_is_asked_for_as_it_is(name_server) -> None:
    assert addresses("my pc", ("127.0.0.1", name_server.port)) == []
    assert name_server.asked[0] == ("my\\032pc.", "A")


def test_name_server_tells_names(name_server) -> None:
    name_server.name("127.0.0.4", "pc.example")
    server = ("127.0.0.1", name_server.port)
    assert name("127.0.0.4", server) == Answer(dns_name="pc.example")
    assert name("127.0.0.5", server) is None


def test_silent_name_server_is_waited_for_no_longer_than_said(name_server) -> None:
    name_server.silent.add("pc.example.")
    begin = time.monotonic()
    assert addresses("pc.example", ("127.0.0.1", name_server.port), Waiting(0.1, 2)) == []
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("text", ["127.0.0.9", "::1"])
def test_address_in_place_of_a_name_is_itself(text) -> None:
    assert addresses(text) == [text]


def test_system_knows_localhost() -> None:
    assert "127.0.0.1" in addresses("localhost")
    assert addresses("localhost\0x") == []  # and no part of a name


@pytest.mark.parametrize("text", ["", "x" * 300, "a..b", "\udcff", "no\0name"])
def test_what_is_no_name_has_no_addresses(text, name_server) -> None:
    assert addresses(text, ("127.0.0.1", name_server.port)) == []


def test_names_of_loopback_are_nobodys_business(monkeypatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(module.socket, "getnameinfo", forbidden)
    monkeypatch.setattr(Names, "_look_up", forbidden)
    assert name("127.0.0.1") == name("::1") == Answer(dns_name="localhost")
    assert name("127.0.0.2") is None


def test_system_that_hangs_is_waited_for_no_longer_than_said(monkeypatch) -> None:
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    begin = time.monotonic()
    assert addresses("pc.example", waiting=Waiting(0.1, 2)) == []
    assert time.monotonic() - begin < 1.5


def test_name_server_without_the_library_is_told(monkeypatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LibraryMissing, match="dnspython"):
        addresses("pc.example", ("127.0.0.1", 53))


def test_name_servers_of_the_system_are_asked_only_where_policy_allows_all(monkeypatch) -> None:
    import dns.resolver

    class Resolver:
        nameservers = ["127.0.0.53", "192.0.2.1"]

    monkeypatch.setattr(dns.resolver, "Resolver", Resolver)
    assert module._system_servers(LOOPBACK) == []
    assert module._system_servers(Networks.parse(["127.0.0.0/8", "192.0.2.0/24"])) == [
        ("127.0.0.53", 53),
        ("192.0.2.1", 53),
    ]
