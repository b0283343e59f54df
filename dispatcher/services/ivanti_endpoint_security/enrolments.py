"""Enrolments: how many new agents an order to install some can make at most."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from dispatcher.services.ivanti_endpoint_security.orders import AddressTarget, NameTarget, RangeTarget, Target
from dispatcher.tasks.discovering.names import MOST_ADDRESSES

#: More than any run comes to.
_MOST = 1 << 30


def most(targets: Iterable[Target]) -> int | None:
    """Return how many computers *targets* may be; None if nobody knows, as of a directory."""
    found = 0
    for one in targets:
        match one:
            case AddressTarget():
                found += 1
            case NameTarget():
                found += MOST_ADDRESSES
            case RangeTarget():
                found += max(_number(one.end) - _number(one.start), 0) + 1
            case _:
                return None
    return min(found, _MOST)


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address.partition("%")[0]))
