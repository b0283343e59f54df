"""Targets: the addresses that an order asks for, as spans of numbers: a range costs no more than one address."""

from __future__ import annotations

import bisect
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.discovering.order import AddressTarget, RangeTarget

#: The IPv6 addresses that stand for IPv4 ones (RFC 4291, section 2.5.5.2).
_MAPPED, _MAPPED_LAST = 0xFFFF << 32, 0xFFFF << 32 | 0xFFFF_FFFF

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The addresses from ``first`` to ``last``, both of them too, of IP ``version`` 4 or 6."""

    version: int
    zone: str  #: of link-local IPv6 addresses: by which interface; usually empty
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return self.last - self.first + 1

    def address(self, number: int) -> str:
        """Return the address with this *number* as text."""
        if self.version == 4:
            return str(ipaddress.IPv4Address(number))
        text = str(ipaddress.IPv6Address(number))
        return f"{text}%{self.zone}" if self.zone else text

    def __str__(self) -> str:
        """Return it as results show it: one address, or ``first - last``."""
        first = self.address(self.first)
        return first if self.first == self.last else f"{first} - {self.address(self.last)}"

    def part(self, first: int, last: int) -> Span:
        """Return the addresses from *first* to *last* of it."""
        return replace(self, first=first, last=last)


def span(target: AddressTarget | RangeTarget) -> Span:
    """Return the addresses of *target*. An IPv4 address inside an IPv6 one counts as IPv4.

    :raises InvalidValue: if there are none, such as from the later to the earlier one.
    """
    if isinstance(target, AddressTarget):
        address = _address("address", target.address)
        return Span(address.version, _zone(address), int(address), int(address))
    start, end = _address("start", target.start), _address("end", target.end)
    if (start.version, _zone(start)) != (end.version, _zone(end)):
        raise InvalidValue("end", f"{target.end!r:.60} is of another kind than {target.start!r:.60}")
    if int(start) > int(end):
        raise InvalidValue("end", f"{target.end!r:.60} is before {target.start!r:.60}")
    if start.version == 6 and int(start) <= _MAPPED_LAST and int(end) >= _MAPPED:
        raise InvalidValue("end", "the range has IPv4 addresses in it (::ffff:0:0/96): these need a range of their own")
    return Span(start.version, _zone(start), int(start), int(end))


def span_of(address: str) -> Span:
    """Return the span of one *address*, as text.

    :raises InvalidValue: if it is none.
    """
    return span(AddressTarget(address=address))


def _address(member: str, text: str) -> _Address:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise InvalidValue(member, f"{text!r:.60} is no IP address") from None
    return getattr(address, "ipv4_mapped", None) or address


def _zone(address: _Address) -> str:
    return getattr(address, "scope_id", None) or ""


class Claims:
    """Which addresses are asked for already: each is asked once, by whom it was claimed first.

    Single addresses are kept as they are, ranges by their ends.
    """

    def __init__(self) -> None:
        self._ends: dict[tuple[int, str], tuple[list[int], list[int]]] = {}

    def claim(self, wanted: Span) -> list[Span]:
        """Claim *wanted*; return what of it nobody has claimed before, in order."""
        firsts, lasts = self._ends.setdefault((wanted.version, wanted.zone), ([], []))
        begin = bisect.bisect_left(lasts, wanted.first)
        end = bisect.bisect_right(firsts, wanted.last)
        new = list(_gaps(wanted, firsts[begin:end], lasts[begin:end]))
        # Those that it touches become one with it.
        first = min([wanted.first, *firsts[begin : begin + 1]]) if begin < end else wanted.first
        last = max([wanted.last, *lasts[end - 1 : end]]) if begin < end else wanted.last
        firsts[begin:end], lasts[begin:end] = [first], [last]
        return new


def _gaps(wanted: Span, firsts: list[int], lasts: list[int]) -> Iterator[Span]:
    """Give the parts of *wanted* outside of the spans from *firsts* to *lasts*, which are in order."""
    start = wanted.first
    for first, last in zip(firsts, lasts, strict=True):
        if start < first:
            yield wanted.part(start, first - 1)
        start = max(start, last + 1)
    if start <= wanted.last:
        yield wanted.part(start, wanted.last)
