"""Attached networks: which addresses this computer asks for hardware addresses itself, before anything else is sent.

Linux remembers few of those that do not answer (``net.ipv4.neigh.default.gc_thresh3``: 1,024). Once that many are
waited for nobody else can be reached either, so they are to be asked fewer at a time than those behind a router.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

_ROUTES = Path("/proc/net/route")
_IS_UP, _HAS_GATEWAY = 0x1, 0x2
_FIELDS = 8


class Attached:
    """The networks that this computer is attached to, as its *routes* (``/proc/net/route``) say."""

    def __init__(self, routes: str | None = None) -> None:
        text = _read() if routes is None else routes
        self._networks = None if text is None else list(_networks(text))

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether *address* may be in one of them. What is not known counts: all of IPv6, and other systems."""
        if address.is_loopback:
            return False
        if self._networks is None or address.version == 6:
            return True
        return any(address in network for network in self._networks)


def _read() -> str | None:
    if sys.platform != "linux":
        return None
    try:
        return _ROUTES.read_text()
    except OSError:
        return None


def _networks(routes: str) -> Iterator[IPv4Network]:
    """Give the networks of *routes* that no gateway leads to. A point-to-point line counts as one, too."""
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) < _FIELDS:
            continue
        flags = int(fields[3], 16)
        if flags & _IS_UP and not flags & _HAS_GATEWAY:
            yield IPv4Network((_number(fields[1]), str(IPv4Address(_number(fields[7])))), strict=False)


def _number(text: str) -> int:
    """Return the address that the kernel shows as a number of this computer's byte order."""
    return int.from_bytes(int(text, 16).to_bytes(4, sys.byteorder), "big")
