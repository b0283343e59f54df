"""SNMP: what a real agent says of its computer, and what hostile ones may send."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from free_ports import free_port
from hypothesis import given
from hypothesis import strategies as st
from network_programs import Snmpd
from pyasn1.codec.ber import encoder
from pysnmp.proto import api

from dispatcher.tasks.discovering import snmp
from dispatcher.tasks.discovering.datagrams import LONGEST, Malformed
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Waiting
from dispatcher.tasks.discovering.snmp import DESCRIPTION, NAME, OBJECT_ID, SnmpProbe, System, question, read

PROTOCOL: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpd]:
    agent = Snmpd(tmp_path_factory.mktemp("snmpd"), "files.ad.example", "Linux files 6.1.0 x86_64")
    yield agent
    agent.stop()


def ask(port: int, *communities: str, times: int = 1) -> Answer | None:
    async def work() -> Answer | None:
        probe = SnmpProbe(communities, port)
        try:
            return await probe.ask("127.0.0.1", Waiting(0.3, times))
        finally:
            await probe.close()

    return asyncio.run(work())


def an_answer(number: int, values: dict[str, Any], error: int = 0, kind: Any = None) -> bytes:
    pdu = (kind or PROTOCOL.ResponsePDU)()
    PROTOCOL.apiPDU.set_defaults(pdu)
    PROTOCOL.apiPDU.set_request_id(pdu, number)
    PROTOCOL.apiPDU.set_error_status(pdu, error)
    PROTOCOL.apiPDU.set_varbinds(pdu, [(PROTOCOL.ObjectIdentifier(one), value) for one, value in values.items()])
    message = PROTOCOL.Message()
    PROTOCOL.apiMessage.set_defaults(message)
    PROTOCOL.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def test_a_real_agent_is_asked_with_each_community(snmpd: Snmpd) -> None:
    expected = Answer(name="files.ad.example", description="Linux files 6.1.0 x86_64", os="linux")
    assert ask(snmpd.port, "inside") == expected
    assert ask(snmpd.port, "public", "inside", "public", "ünsinn") == expected


def test_without_the_community_there_is_no_answer(snmpd: Snmpd) -> None:
    began = time.monotonic()
    assert ask(snmpd.port, "public", "private", times=2) is None
    assert ask(snmpd.port) is None
    assert time.monotonic() - began < 2
    assert ask(free_port(), "inside") is None


def test_all_that_an_agent_says_is_read() -> None:
    text = PROTOCOL.OctetString
    values = {
        NAME: text(b"R\xc3\xa4k \xff"),
        DESCRIPTION: text(b"x" * 400),
        OBJECT_ID: PROTOCOL.ObjectIdentifier("1.3.6"),
    }
    assert read(an_answer(7, values), range(5, 9)) == System("Räk \ufffd", "x" * 255, "1.3.6")
    # An agent that has nothing to say, or does not want to, is there all the same.
    for sparse in (an_answer(7, {}), an_answer(7, values, error=16), an_answer(7, {NAME: PROTOCOL.Integer(7)})):
        assert read(sparse, range(7, 8)) == System()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x80" * 2_000,
        b"\x30\x84\x7f\xff\xff\xff",
        an_answer(9, {}),
        an_answer(7, {}, kind=PROTOCOL.GetRequestPDU),
        an_answer(7, {})[:-1],
        question(7, "public"),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data, range(5, 9))


@given(st.binary(max_size=300), st.integers(0, 120), st.integers(0, 120))
def test_whatever_is_sent_is_read_or_refused_at_once(junk: bytes, start: int, end: int) -> None:
    sound = an_answer(7, {NAME: PROTOCOL.OctetString(b"name"), DESCRIPTION: PROTOCOL.OctetString(b"described")})
    for data in (junk, sound[:start] + junk + sound[end:]):
        try:
            system = read(data, range(7, 8))
        except Malformed:
            continue
        assert len(system.name) <= 255


def test_the_longest_answers_take_little_time() -> None:
    many = {f"1.3.6.1.{number}": PROTOCOL.Integer(1) for number in range(600)}
    nested = b"\x30\x82\x1f\xf0" * 2_000
    for data in (an_answer(7, many)[:LONGEST], nested[:LONGEST], b"\x02\x01\x01" * 2_700, b"\x30\x80" * 4_000):
        began = time.process_time()
        with suppress(Malformed):
            read(data, range(7, 8))
        assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("description", "os"),
    [
        ("Linux pc 6.1", "linux"),
        ("Darwin mac 22.1", "macos"),
        ("Hardware: Intel64 - Software: Windows Version 10.0 (Build 17763)", "windows"),
        ("Cisco IOS Software, runs no Linux", ""),
        ("A printer for Windows", ""),
    ],
)
def test_the_system_is_told_only_where_the_agent_says_so(description: str, os: str) -> None:
    assert snmp._os_of(description) == os


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysnmp.proto.api", None)
    monkeypatch.delattr("pysnmp.proto.api")
    with pytest.raises(LibraryMissing, match="pysnmp is missing"):
        SnmpProbe(["public"])
