"""Directories: the computers that a real LDAP server knows, and what happens where it does not tell of them."""

from __future__ import annotations

import base64
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from free_ports import free_port
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from name_server import NameServer
from network_programs import Slapd

from dispatcher.core.networks import Networks, RefusedByPolicy
from dispatcher.tasks.discovering import directory_connection, directory_servers
from dispatcher.tasks.discovering.directory import computers
from dispatcher.tasks.discovering.order import DirectoryTarget
from dispatcher.tasks.discovering.probes import LibraryMissing, Waiting
from dispatcher.tasks.work import TaskFailed

MANY = 2_500
LOOPBACK = Networks.parse(["127.0.0.0/8", "::1"])
ONCE = Waiting(1, 1)
#: Names of units that try to be more than a name, each with one computer in it.
UNITS = [
    "Berlin",
    "a, b+c",
    'quoted "x" <y>;#',
    " #lead",
    "OU=x,DC=ad",
    "star*)(cn=*",
    "back\\slash",
    "Büro",
    "nul\\00",
]


def entry(name: str, kind: str, dn: str, *more: str) -> str:
    return "\n".join([f"dn: {dn},dc=ad,dc=example", f"objectClass: {kind}", name, *more, ""])


def in_hex(text: str) -> str:
    """Return *text* as a value in a distinguished name: every byte by its number (RFC 4514, 2.4)."""
    return "".join(f"\\{byte:02X}" for byte in text.encode())


def computer(name: str, below: str, dns_name: str = "") -> str:
    return entry(f"cn: {name}", "computer", f"cn={name}{below}", *([f"dNSHostName: {dns_name}"] if dns_name else []))


def a_world() -> Iterator[str]:
    """Give the entries: a container of many computers, units with one each, and a unit in a unit."""
    yield entry("cn: Computers", "container", "cn=Computers")
    for number in range(MANY):
        yield computer(f"PC{number}", ",cn=Computers", f"pc{number}.ad.example")
    for number, unit in enumerate(UNITS):
        dn = f"ou={in_hex(unit)}"
        yield entry(f"ou:: {_base64(unit)}", "organizationalUnit", dn)
        yield computer(f"UNIT{number}", f",{dn}")
    yield entry("ou: Open", "organizationalUnit", "ou=Open")
    for number in range(20):
        yield computer(f"OPEN{number}", ",ou=Open", f"open{number}.ad.example")
    yield entry("ou: Servers", "organizationalUnit", "ou=Servers,ou=Berlin")
    yield computer("FILES", ",ou=Servers,ou=Berlin", "files.ad.example")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd")
    server = Slapd(folder / "server", a_world(), authority.issue(folder))
    yield server
    server.stop()


@pytest.fixture
def find(slapd: Slapd) -> Callable[..., list[str]]:
    """Return what the directory tells its reader of."""
    said: list[str] = []

    def find(password: str = Slapd.PASSWORD, networks: Networks = LOOPBACK, **target: Any) -> list[str]:
        said.clear()
        defaults = {"domain": f"127.0.0.1:{slapd.port}", "username": Slapd.READER, "retry": 0}
        return [*computers(DirectoryTarget.model_validate(defaults | target), password, networks, said.append)]

    find.said = said  # type: ignore[attr-defined]
    return find


def test_all_computers_of_a_large_directory_are_found(find: Any) -> None:
    found = find()
    assert {f"pc{number}.ad.example" for number in range(MANY)} <= {*found}
    assert len(found) == MANY + len(UNITS) + 21
    assert find(canonical_name="ad.example/Computers")[0] == "pc0.ad.example"
    assert find.said == []


def test_they_come_page_by_page_and_nothing_is_left_open(slapd: Slapd) -> None:
    target = DirectoryTarget(domain=f"127.0.0.1:{slapd.port}", username=Slapd.READER)
    found = computers(target, Slapd.PASSWORD, LOOPBACK, print)
    first: list[str] = []
    thread = threading.Thread(target=lambda: first.append(next(found)))
    thread.start()
    thread.join(10)
    assert next(found) != first[0]
    found.close()  # type: ignore[attr-defined]
    assert [*found] == []


def test_a_directory_that_tells_no_more_is_said_so(find: Any) -> None:
    assert 0 < len(find(username=Slapd.HURRIED)) <= 7
    assert find.said == ["# 127.0.0.1: the directory tells of no more computers (sizeLimitExceeded)"]


@pytest.mark.parametrize(("number", "unit"), [*enumerate(UNITS)])
def test_a_unit_is_its_name_and_nothing_more(find: Any, number: int, unit: str) -> None:
    below = ["files.ad.example"] if unit == "Berlin" else []
    expected = {f"UNIT{number}", *below}
    canonical = unit.replace("\\", "\\\\").replace("/", "\\/")
    if "=" not in unit and unit == unit.strip():
        assert {*find(organizational_unit=canonical)} == expected
    assert {*find(organizational_unit=f"OU={in_hex(unit)}")} == expected
    if unit == unit.strip():
        assert {*find(canonical_name=f"ad.example/{canonical}")} == expected


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_unit_is_called_it_never_means_everything(find: Any, name: str) -> None:
    for where in (
        {"organizational_unit": f"Berlin/Servers/x{name}"},
        {"canonical_name": f"ad.example/Nowhere/{name}x"},
    ):
        with pytest.raises(TaskFailed, match=r"is not in the directory|is no organizational unit|has too many parts"):
            find(**where)


def test_units_are_written_in_several_ways(find: Any) -> None:
    for unit in (
        "Berlin/Servers",
        "/Berlin/Servers/",
        "OU=Servers,OU=Berlin",
        "ou=servers, ou=berlin,DC=AD,dc=example",
    ):
        assert find(organizational_unit=unit) == ["files.ad.example"]
    assert find(canonical_name="ad.example/Berlin", organizational_unit="Servers") == ["files.ad.example"]
    # A tool may tell of one unit in both ways.
    both = find(canonical_name="ad.example/Berlin/Servers", organizational_unit="OU=Servers,OU=Berlin")
    assert both == ["files.ad.example"]
    for unit in ("OU=Servers,DC=other,DC=example", "DC=example", "OU=a+CN=b", "=", "OU=Berlin,,"):
        with pytest.raises(TaskFailed, match="is no organizational unit"):
            find(organizational_unit=unit)


def test_who_does_not_log_in_sees_what_everybody_may_see(find: Any) -> None:
    assert {*find("", username="")} == {f"open{number}.ad.example" for number in range(20)}
    with pytest.raises(TaskFailed, match="Access Denied: insufficientAccessRights"):
        find("", username="", organizational_unit="Berlin")


def test_a_wrong_password_is_tried_once_and_denied(find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    log_in = directory_connection.DirectoryConnection.log_in
    watched = lambda self, name, password: (tries.append(name), log_in(self, name, password))  # noqa: E731
    monkeypatch.setattr(directory_connection.DirectoryConnection, "log_in", watched)
    with pytest.raises(TaskFailed) as caught:
        find("may not look", retry=3)
    assert caught.value.message == "Access Denied: invalidCredentials"
    assert tries == [Slapd.READER]


def test_a_name_without_a_password_is_not_taken_for_nobody(find: Any) -> None:
    with pytest.raises(TaskFailed, match="Access Denied"):
        find("")


def test_a_name_alone_is_completed_by_the_domain(find: Any) -> None:
    # Active Directory takes that for a name; OpenLDAP refuses it before it looks at the password.
    with pytest.raises(TaskFailed, match="invalidDNSyntax"):
        find(username="reader")


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let loopback count as the address of another computer."""
    monkeypatch.setattr(directory_servers.Place, "is_loopback", False)


@pytest.mark.usefixtures("far_away")
def test_a_password_goes_elsewhere_only_under_a_certificate_that_is_trusted(
    find: Any, slapd: Slapd, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TaskFailed, match=r"the certificate of 127\.0\.0\.1 is not trusted"):
        find(organizational_unit="Berlin")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    assert "UNIT0" in find(organizational_unit="Berlin")
    monkeypatch.setattr(directory_connection, "TLS_PORTS", {slapd.tls_port})
    assert "UNIT0" in find(organizational_unit="Berlin", domain=f"127.0.0.1:{slapd.tls_port}")
    # It is not issued for that address.
    with pytest.raises(TaskFailed, match=r"the certificate of 127\.0\.0\.2 is not trusted"):
        _rename(monkeypatch, "127.0.0.2")
        find(organizational_unit="Berlin")


def _rename(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    places = directory_servers.places
    renamed = lambda *args: [directory_servers.Place(host, one.address, one.port) for one in places(*args)]  # noqa: E731
    monkeypatch.setattr(directory_servers, "places", renamed)


def test_a_password_is_never_sent_in_clear_to_another_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Slapd(tmp_path / "server", [computer("PC", "")])
    target = DirectoryTarget(domain=f"127.0.0.1:{server.port}", username=Slapd.READER, retry=0)
    try:
        assert [*computers(target, Slapd.PASSWORD, LOOPBACK, print)] == ["PC"]
        monkeypatch.setattr(directory_servers.Place, "is_loopback", False)
        monkeypatch.setattr(directory_connection.DirectoryConnection, "log_in", lambda *_: pytest.fail("it was sent"))
        with pytest.raises(TaskFailed, match=rf"offers no TLS at port {server.port} \(\w+\): the password is not sent"):
            [*computers(target, Slapd.PASSWORD, LOOPBACK, print)]
    finally:
        server.stop()


def test_tls_is_asked_for_before_anything_that_could_still_be_outstanding() -> None:
    asked: list[bytes] = []

    def listen(server: socket.socket) -> None:
        with server.accept()[0] as peer:
            asked.append(peer.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, args=(server,), daemon=True).start()
        place = directory_servers.Place("localhost", *server.getsockname())
        with pytest.raises((TaskFailed, OSError)):
            directory_connection.DirectoryConnection(place, 2, has_password=True)
    assert b"1.3.6.1.4.1.1466.20037" in asked[0]


def test_addresses_that_are_not_allowed_are_not_called(find: Any) -> None:
    with pytest.raises(RefusedByPolicy):
        find(domain="192.0.2.1:389")
    with pytest.raises(RefusedByPolicy):
        find(networks=Networks.parse(["10.0.0.0/8"]))
    with pytest.raises(TaskFailed, match="neither a domain nor a canonical name"):
        find(domain="")


@pytest.mark.parametrize("behaves", ["silent", "endless", "slow", "nonsense", "lying"])
def test_a_server_that_never_answers_costs_no_more_than_the_time_there_is(behaves: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_misbehave, args=(server, behaves), daemon=True).start()
        began = time.monotonic()
        target = DirectoryTarget(domain=f"127.0.0.1:{server.getsockname()[1]}", timeout_ms=300, retry=1)
        with pytest.raises((TaskFailed, OSError)):
            [*computers(target, "", LOOPBACK, print)]
        assert time.monotonic() - began < 2.5


def _misbehave(server: socket.socket, behaves: str) -> None:
    with suppress(OSError):
        while True:
            peer, _ = server.accept()
            with suppress(OSError), peer:
                if behaves == "nonsense":
                    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
                elif behaves == "lying":
                    peer.sendall(b"\x30\x84\x7f\xff\xff\xff" + b"\x02\x01\x01")
                while behaves == "endless":
                    peer.sendall(b"\x30\x84\x7f\xff\xff\xff" + bytes(60_000))
                while behaves == "slow":
                    peer.sendall(b"\x30")
                    time.sleep(0.05)
                peer.recv(1000)
                time.sleep(1)


def test_nobody_there_is_a_failure(find: Any) -> None:
    with pytest.raises((TaskFailed, OSError), match="refused"):
        find(domain=f"127.0.0.1:{free_port()}", timeout_ms=500, retry=2)


def test_controllers_are_found_by_the_records_of_the_domain(name_server: NameServer, slapd: Slapd) -> None:
    record = ("_ldap._tcp.dc._msdcs.ad.example.", "SRV")
    server = ("127.0.0.1", name_server.port)
    name_server.records[record] = [
        f"20 100 {free_port()} gone.ad.example.",
        f"0 1 {free_port()} refused.ad.example.",
        f"0 100 {slapd.port} dc1.ad.example.",
    ]
    name_server.records["dc1.ad.example.", "A"] = ["192.0.2.7", "127.0.0.1"]
    name_server.records["refused.ad.example.", "A"] = ["192.0.2.8"]
    target = DirectoryTarget(domain="ad.example", username=Slapd.READER, organizational_unit="Berlin/Servers")
    for one in (target, target.model_copy(update={"domain": "", "canonical_name": "ad.example"})):
        assert [*computers(one, Slapd.PASSWORD, LOOPBACK, print, nameserver=server)] == ["files.ad.example"]
    assert name_server.asked[0] == record

    # Without such records it is the domain itself, and what the policy does not allow stays so.
    name_server.records = {("ad.example.", "A"): ["192.0.2.7"]}
    with pytest.raises(RefusedByPolicy):
        [*computers(target, Slapd.PASSWORD, LOOPBACK, print, nameserver=server)]
    name_server.records = {record: ["0 0 0 ."]}
    with pytest.raises(TaskFailed, match=r"the address of ad\.example is not known"):
        [*computers(target, Slapd.PASSWORD, LOOPBACK, print, nameserver=server)]
    with pytest.raises(RefusedByPolicy):
        [*computers(target, Slapd.PASSWORD, LOOPBACK, print, nameserver=("192.0.2.1", 53))]


def test_a_missing_library_is_named(find: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ldap3", None)
    with pytest.raises(LibraryMissing, match=r"ldap3 is missing: install dispatcher\[discovery\]"):
        find()


def test_only_those_of_the_systems_name_servers_are_asked_that_the_policy_allows(
    name_server: NameServer, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = ["192.0.2.1", "127.0.0.1"]
    read = lambda self, _: setattr(self, "nameservers", list(servers))  # noqa: E731
    monkeypatch.setattr("dns.resolver.Resolver.read_resolv_conf", read)
    monkeypatch.setattr(directory_servers, "DNS", name_server.port)
    name_server.records["_ldap._tcp.dc._msdcs.ad.example.", "SRV"] = [f"0 0 {slapd.port} localhost."]
    target = DirectoryTarget(domain="ad.example", username=Slapd.READER, organizational_unit="Berlin/Servers")
    assert [*computers(target, Slapd.PASSWORD, LOOPBACK, print)] == ["files.ad.example"]
    # Where none may be asked, the name of the domain itself is left, which the system resolves.
    servers.pop()
    only_here = directory_servers.places("localhost", LOOPBACK, None, ONCE)
    assert {place.address for place in only_here} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("domain", "places"),
    [
        ("127.0.0.1", [("127.0.0.1", 389)]),
        ("[::1]:3269", [("::1", 3269)]),
        ("::1", [("::1", 389)]),
        ("[::1]", [("::1", 389)]),
        ("127.0.0.1:636", [("127.0.0.1", 636)]),
    ],
)
def test_a_controller_is_taken_as_it_is(domain: str, places: list[tuple[str, int]]) -> None:
    found = directory_servers.places(domain, LOOPBACK, None, ONCE)
    assert [(one.address, one.port) for one in found] == places
    assert all(one.is_loopback for one in found)


def test_an_address_that_the_library_does_not_take_is_a_failure() -> None:
    with pytest.raises(TaskFailed, match="is no address that LDAP can be spoken with"):
        directory_connection.DirectoryConnection(directory_servers.Place("x", "::1%lo", 389), 1, has_password=False)


@pytest.mark.parametrize("domain", [":389", "127.0.0.1:0", "127.0.0.1:70000"])
def test_a_port_that_none_can_have_is_refused(domain: str) -> None:
    with pytest.raises(TaskFailed, match="is no domain, and no controller with its port"):
        directory_servers.places(domain, LOOPBACK, None, ONCE)


class Corruptor:
    """Stands between a client and a server on loopback, and changes one byte of what the server says."""

    def __init__(self, port: int, place: int, change: int) -> None:
        self._port, self._place, self._change = port, place, change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            with client, socket.create_connection(("127.0.0.1", self._port), 5) as server:
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                said = 0
                while data := bytearray(server.recv(65_536)):
                    if said <= self._place < said + len(data):
                        data[self._place - said] ^= self._change
                    said += len(data)
                    client.sendall(data)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@given(st.integers(0, 1_500), st.integers(1, 255))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_directory_says_is_understood_or_a_failure(slapd: Slapd, place: int, change: int) -> None:
    between = Corruptor(slapd.port, place, change)
    target = DirectoryTarget(domain=f"127.0.0.1:{between.port}", timeout_ms=200, retry=0, organizational_unit="Open")
    try:
        with suppress(TaskFailed, OSError):
            assert len([*computers(target, "", LOOPBACK, print)]) <= 30
    finally:
        between.stop()
