"""Networks: which addresses may be called, whatever form they come in."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import PRIVATE, Networks, RefusedByPolicy

DEFAULT = Networks.parse(PRIVATE)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("169.254.169.254", False),
        ("8.8.8.8", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
        ("localhost", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_default_is_loopback_and_private_ranges(address: str, is_allowed: bool) -> None:
    assert DEFAULT.allows(address) is is_allowed


@given(st.ip_addresses())
def test_everything_and_nothing(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert Networks.parse(["0.0.0.0/0", "::/0"]).allows(str(address))
    assert not Networks.parse([]).allows(str(address))
    assert Networks.parse([str(address)]).allows(str(address)) or getattr(address, "ipv4_mapped", None)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "example.org", "10.0.0.0-10.0.0.9", "1" * 10_000])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"allowed_targets: .* is no network"):
        Networks.parse(["10.0.0.0/8", text])


def test_refusal_names_the_host_and_its_addresses() -> None:
    assert RefusedByPolicy("db", ["1.1.1.1", "1.1.1.1"]).message == (
        "refused by policy: db (1.1.1.1) is not among allowed_targets"
    )
    assert RefusedByPolicy("1.1.1.1", ["1.1.1.1"]).message == (
        "refused by policy: 1.1.1.1 is not among allowed_targets"
    )
