"""Any bytes: whatever arrives anywhere, the answer is proper; only what is a message does anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hostile_world import ADDRESSES, BASE, JOB_JSON, JOB_XML, Address, Door, refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.permissions import SYSTEM
from dispatcher.wire.http import Request

everywhere = pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address.name)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def valid(address: Address) -> bytes:
    return (JOB_JSON if address.is_json else address.wrap(JOB_XML)).encode()


def answered(door: Door, address: Address, body: bytes) -> None:
    answer = door.ask(address, body)
    assert door.logged == []
    refusal(address, answer)


@pytest.mark.parametrize(
    "address", [one for one in ADDRESSES if one.method == "POST"], ids=lambda address: address.name
)
def test_message_that_the_others_are_made_of_is_accepted(
    door: Door, address: Address, stored: Callable[[], dict[str, int]]
) -> None:
    before = stored()["job"]

    assert refusal(address, door.ask(address, valid(address))) is None
    assert stored()["job"] == before + 1


@everywhere
@given(body=st.binary(max_size=200))
@many
def test_random_bytes(door: Door, address: Address, body: bytes) -> None:
    answered(door, address, body)


@everywhere
@given(data=st.data())
@many
def test_message_with_a_few_other_bytes(door: Door, address: Address, data: st.DataObject) -> None:
    body = bytearray(valid(address))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answered(door, address, bytes(body))


@everywhere
@given(data=st.data())
@many
def test_message_with_a_part_repeated_or_missing(door: Door, address: Address, data: st.DataObject) -> None:
    body = valid(address)
    begin, end = sorted([data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))])
    answered(door, address, body[:begin] + body[begin:end] * data.draw(st.sampled_from([0, 2, 3])) + body[end:])


@everywhere
@given(content_type=st.text(max_size=40), action=st.text(max_size=20), accept=st.text(max_size=40))
@many
def test_random_headers(door: Door, address: Address, content_type: str, action: str, accept: str) -> None:
    # A Content-Type of nonsense is no reason to refuse what is well-formed.
    answer = door.ask(address, b"", content_type=content_type, soapaction=action, accept=accept)

    assert door.logged == []
    assert answer.status in (400, 404, 500)


_WORDS = st.sampled_from(
    ["jobs", "who", "what", "modules", "help", "operations", "GetJobs", "results", "soap", "", "..", "%00", "{", "}"]
)
_NAMES = st.sampled_from(["stage", "page", "pagesize", "search", "agents", "overview", "wsdl", "xsd", "x"])


@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "x"]),
    path=st.lists(_WORDS | st.text(max_size=10), max_size=5).map("/".join),
    query=st.lists(st.tuples(_NAMES, st.text(st.characters(), max_size=10)).map("=".join), max_size=3).map("&".join),
    host=st.sampled_from(["h", 'h"><script>', "h\x00", "ü", ""]),
)
@settings(parent=many, max_examples=300)
def test_random_addresses(door: Door, method: str, path: str, query: str, host: str) -> None:
    answer = door.binding(Request(method, f"{BASE}/{path}", query, {}, b"", host=host, caller=SYSTEM))

    assert door.logged == []
    assert answer.status in (200, 301, 400, 404, 405)
    assert b"<script>" not in answer.body
