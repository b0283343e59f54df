"""Targets: spans of addresses, and who claims which."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.discovering.order import AddressTarget, RangeTarget
from dispatcher.tasks.discovering.targets import Claims, Span, span, span_of


def a_range(start: str, end: str) -> Span:
    return span(RangeTarget(start=start, end=end))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        (" 127.0.0.1 ", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_address_is_written_in_one_way(text, shown) -> None:
    found = span_of(text)
    assert (str(found), found.size) == (shown, 1)


def test_range_has_both_its_ends() -> None:
    found = a_range("127.0.0.254", "127.0.1.1")
    assert [found.address(number) for number in range(found.first, found.last + 1)] == [
        "127.0.0.254",
        "127.0.0.255",
        "127.0.1.0",
        "127.0.1.1",
    ]
    assert str(found) == "127.0.0.254 - 127.0.1.1"


@pytest.mark.parametrize("text", ["", "host", "127.0.0", "127.0.0.256", "127.0.0.1/8", "::1::"])
def test_what_is_no_address_is_refused(text) -> None:
    with pytest.raises(InvalidValue, match="is no IP address"):
        span(AddressTarget(address=text))


@pytest.mark.parametrize(
    ("start", "end"), [("127.0.0.2", "127.0.0.1"), ("127.0.0.1", "::1"), ("fe80::1%a", "fe80::2%b")]
)
def test_range_that_is_none_is_refused(start, end) -> None:
    with pytest.raises(InvalidValue, match="end"):
        a_range(start, end)


def test_claim_gives_what_is_new() -> None:
    claims = Claims()
    assert list(map(str, claims.claim(a_range("127.0.0.4", "127.0.0.6")))) == ["127.0.0.4 - 127.0.0.6"]
    assert list(map(str, claims.claim(span_of("127.0.0.9")))) == ["127.0.0.9"]
    whole = claims.claim(a_range("127.0.0.0", "127.0.0.15"))
    assert list(map(str, whole)) == ["127.0.0.0 - 127.0.0.3", "127.0.0.7 - 127.0.0.8", "127.0.0.10 - 127.0.0.15"]
    assert claims.claim(a_range("127.0.0.0", "127.0.0.15")) == []


def test_families_and_zones_have_claims_of_their_own() -> None:
    claims = Claims()
    for text in ("0.0.0.1", "::1", "fe80::1%a", "fe80::1%b"):
        assert list(map(str, claims.claim(span_of(text)))) == [text]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=12))
def test_each_number_is_given_once_and_none_is_left_out(wanted) -> None:
    claims, given_once = Claims(), []
    for first, more in wanted:
        for part in claims.claim(Span(4, "", first, first + more)):
            given_once += range(part.first, part.last + 1)
    assert len(given_once) == len(set(given_once))
    assert set(given_once) == {number for first, more in wanted for number in range(first, first + more + 1)}


@pytest.mark.parametrize(
    ("start", "end"), [("::", "ffff::"), ("::fffe:0:1", "::ffff:0:0"), ("::ffff:ffff:ffff", "1::")]
)
def test_range_of_ipv6_with_ipv4_in_it_is_none(start: str, end: str) -> None:
    with pytest.raises(InvalidValue, match=r"IPv4|another kind"):
        span(RangeTarget(start=start, end=end))
