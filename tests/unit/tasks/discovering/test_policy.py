"""The policy: which parts of a span may be asked."""

from __future__ import annotations

import ipaddress
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering.order import RangeTarget
from dispatcher.tasks.discovering.policy import Policy
from dispatcher.tasks.discovering.targets import Span, span


def parts(start: str, end: str, *networks: str) -> list[tuple[str, bool]]:
    wanted = span(RangeTarget(start=start, end=end))
    return [(str(part), allowed) for part, allowed in Policy(Networks.parse(networks)).split(wanted)]


def test_range_is_split_at_the_ends_of_networks() -> None:
    assert parts("127.0.0.0", "127.0.0.15", "127.0.0.4/30", "127.0.0.8/32", "127.0.0.12/31") == [
        ("127.0.0.0 - 127.0.0.3", False),
        ("127.0.0.4 - 127.0.0.8", True),
        ("127.0.0.9 - 127.0.0.11", False),
        ("127.0.0.12 - 127.0.0.13", True),
        ("127.0.0.14 - 127.0.0.15", False),
    ]


def test_without_networks_nothing_may_be_asked() -> None:
    assert parts("0.0.0.0", "255.255.255.255") == [("0.0.0.0 - 255.255.255.255", False)]


def test_huge_range_takes_no_time() -> None:
    begin = time.monotonic()
    split = Policy(Networks.parse(["::1", "127.0.0.0/8"])).split(Span(6, "", 0, 2**128 - 1))
    mapped = 0xFFFF << 32 | 127 << 24
    assert [(part.first, part.last, allowed) for part, allowed in split] == [
        (0, 0, False),
        (1, 1, True),
        (2, mapped - 1, False),
        (mapped, mapped | 0xFF_FFFF, True),
        ((mapped | 0xFF_FFFF) + 1, 2**128 - 1, False),
    ]
    assert time.monotonic() - begin < 0.05


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=5),
    st.integers(0, 255),
    st.integers(0, 40),
    st.booleans(),
)
def test_parts_say_the_same_as_the_policy_of_one_address(nets, first, more, is_mapped) -> None:
    base = int(ipaddress.ip_address("127.0.0.0"))
    texts = [f"{ipaddress.ip_network((base + number, length), strict=False)}" for number, length in nets]
    networks = Networks.parse([*texts, "::/100"])
    start = (0xFFFF << 32 if is_mapped else 0) + base + first
    wanted = Span(6 if is_mapped else 4, "", start, start + more)
    split = list(Policy(networks).split(wanted))
    walked = [
        (number, networks.allows(str(ipaddress.ip_address(number) if not is_mapped else ipaddress.IPv6Address(number))))
        for number in range(wanted.first, wanted.last + 1)
    ]
    assert [(number, allowed) for part, allowed in split for number in range(part.first, part.last + 1)] == walked
