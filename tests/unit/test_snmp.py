"""SNMP: what is read of messages that another library has written, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api
from snmp_messages import CHANGED, LINK_UP, TRAP_ID, UPTIME, V2C, v1, v2c

from dispatcher import snmp
from dispatcher.snmp import Malformed, Trap, encode_id, read

IDS = st.builds(
    lambda root, others: ".".join(map(str, (*root, *others))),
    st.tuples(st.integers(0, 1), st.integers(0, 39)) | st.tuples(st.just(2), st.integers(0, 2**31)),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20),
)


def test_traps_of_both_versions_are_read() -> None:
    assert read(v2c(CHANGED)) == Trap(b"secret", encode_id(CHANGED))
    assert read(v2c(CHANGED, bindings=[])) == Trap(b"secret", encode_id(CHANGED))
    assert read(v1("1.3.6.1.4.1.9.9.43.2", 1)) == Trap(b"secret", encode_id(CHANGED))
    assert read(v1("1.3.6.1.4.1.9", 0, generic=3)) == Trap(b"secret", encode_id(LINK_UP))
    assert read(v2c(CHANGED) + b"what follows") == read(v2c(CHANGED))


@given(IDS, st.text(st.characters(max_codepoint=255), max_size=200), st.integers(0, 2**31 - 1), st.booleans())
def test_whatever_another_library_has_written_is_read(one: str, community: str, specific: int, is_old: bool) -> None:
    if is_old:
        message, meant = v1(one, specific, community=community), f"{one}.0.{specific}"
    else:
        message, meant = v2c(one, community=community), one
    assert read(message) == Trap(community.encode("latin-1"), encode_id(meant))


@given(IDS)
def test_ids_are_encoded_as_another_library_does(one: str) -> None:
    identifier = api.PROTOCOL_MODULES[V2C].ObjectIdentifier(one)
    assert encoder.encode(identifier).endswith(encode_id(one))
    assert encode_id(f" .{one} ") == encode_id(one)


@pytest.mark.parametrize(
    "text", ["", "1", "iso.3.6", "1.3.", "..1.3.6", "3.1.4", "1.40.1", "1.3.-6", "1.3.12345678901"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no id of an object"):
        encode_id(text)


def test_an_inform_is_answered_by_what_it_says() -> None:
    protocol = api.PROTOCOL_MODULES[V2C]
    message = v2c(CHANGED, kind=protocol.InformRequestPDU)
    trap = read(message + b"what follows")
    assert trap.id == encode_id(CHANGED)
    assert trap.answer is not None
    asked, _ = decoder.decode(message, asn1Spec=protocol.Message())
    answer, rest = decoder.decode(trap.answer, asn1Spec=protocol.Message())
    assert rest == b""
    assert protocol.apiMessage.get_community(answer) == b"secret"
    request, response = protocol.apiMessage.get_pdu(asked), protocol.apiMessage.get_pdu(answer)
    assert response.isSameTypeWith(protocol.ResponsePDU())
    assert protocol.apiPDU.get_request_id(response) == protocol.apiPDU.get_request_id(request)
    assert protocol.apiPDU.get_error_status(response) == 0
    assert protocol.apiPDU.get_varbinds(response) == protocol.apiPDU.get_varbinds(request)


@pytest.mark.parametrize("kind", ["GetRequestPDU", "GetNextRequestPDU", "SetRequestPDU", "ResponsePDU", "ReportPDU"])
def test_other_messages_that_look_like_traps_are_none(kind: str) -> None:
    with pytest.raises(Malformed):
        read(v2c(CHANGED, kind=getattr(api.PROTOCOL_MODULES[V2C], kind)))


def element(tag: int, *contents: bytes, length: bytes | None = None) -> bytes:
    content = b"".join(contents)
    size = bytes([len(content)]) if len(content) < 128 else b"\x84" + len(content).to_bytes(4, "big")
    return bytes([tag]) + (size if length is None else length) + content


NUMBER = element(2, b"\1")
BINDING = element(0x30, element(6, encode_id(TRAP_ID)), element(6, encode_id(CHANGED)))
OTHER = element(0x30, element(6, encode_id(UPTIME)), NUMBER)


def message(
    *bindings: bytes, version: bytes = NUMBER, tag: int = 0xA7, heads: bytes = NUMBER * 3, length: bytes | None = None
) -> bytes:
    pdu = element(tag, heads, element(0x30, *bindings, length=length))
    return element(0x30, version, element(4, b"secret"), pdu)


def test_what_these_tests_are_made_of_is_right() -> None:
    for one in (message(OTHER, BINDING), message(BINDING), message(OTHER, BINDING, *[OTHER] * 100)):
        assert read(one) == Trap(b"secret", encode_id(CHANGED))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x80",
        b"\x30\x80\x00\x00",
        b"\x30\x85\x00\x00\x00\x00\x01\x02",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\xff" + b"\xff" * 127,
        message(OTHER, BINDING)[:-1],
        message(OTHER, OTHER, BINDING),  # it is one of the first two
        message(OTHER),
        message(),
        message(b"\x30\x00"),
        message(element(0x31, BINDING[2:])),
        message(element(0x30, element(6, encode_id(TRAP_ID)), NUMBER)),
        message(element(0x30, element(6, encode_id(TRAP_ID)))),
        message(OTHER, BINDING, length=b"\x80"),
        message(OTHER, BINDING, length=b"\x7f"),
        message(OTHER, BINDING, heads=NUMBER * 2),
        message(OTHER, BINDING, heads=b""),
        message(OTHER, BINDING, tag=0xA4),
        message(OTHER, BINDING, version=element(2, b"\3")),
        message(OTHER, BINDING, version=element(2, b"\0")),
        message(OTHER, BINDING, version=element(2, b"")),
        message(OTHER, BINDING, version=element(2, b"\xff")),
        message(OTHER, BINDING, version=element(2, b"\0" * 1_000 + b"\1")),
        message(OTHER, BINDING, version=element(4, b"\1")),
        b"\x30\x82\x10\x00" * 10_000,
    ],
    ids=repr,
)
def test_what_is_no_trap_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


@given(st.binary(max_size=200) | st.builds(lambda at, new: _spoilt(at, new), st.integers(0, 80), st.binary(max_size=4)))
def test_any_bytes_are_a_trap_or_refused(data: bytes) -> None:
    try:
        trap = read(data)
    except Malformed:
        return
    assert trap.community in data
    if trap.answer is not None:
        assert data.startswith(trap.answer[:4])


def _spoilt(at: int, new: bytes) -> bytes:
    inform = v2c(CHANGED, kind=api.PROTOCOL_MODULES[V2C].InformRequestPDU)
    return inform[:at] + new + inform[at + len(new) :]


def test_no_more_elements_are_read_of_a_long_message(monkeypatch: pytest.MonkeyPatch) -> None:
    following, taken = snmp._next, []

    def count(data: memoryview) -> Any:
        taken.append(len(data))
        return following(data)

    monkeypatch.setattr(snmp, "_next", count)
    read(message(OTHER, BINDING))
    few = len(taken)
    read(message(OTHER, BINDING, *[OTHER] * 4_000))
    assert len(taken) == 2 * few
