"""Policy: which addresses of a span may be asked, found by its ends and not by walking it."""

from __future__ import annotations

from collections.abc import Iterator

from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering.targets import Span

#: The IPv6 addresses that stand for IPv4 ones (RFC 4291, section 2.5.5.2): for them the policy of those counts.
_MAPPED = 0xFFFF << 32
_MAPPED_LAST = _MAPPED | 0xFFFF_FFFF


class Policy:
    """What may be asked."""

    def __init__(self, networks: Networks) -> None:
        self._allowed = {version: _merged(_intervals(networks, version)) for version in (4, 6)}

    def split(self, span: Span) -> Iterator[tuple[Span, bool]]:
        """Give *span* in parts, in order, each with whether it may be asked."""
        start = span.first
        for first, last in self._allowed[span.version]:
            if last < start:
                continue
            if first > span.last:
                break
            if start < first:
                yield span.part(start, first - 1), False
                start = first
            end = min(last, span.last)
            yield span.part(start, end), True
            start = end + 1
        if start <= span.last:
            yield span.part(start, span.last), False


def _intervals(networks: Networks, version: int) -> Iterator[tuple[int, int]]:
    for network in networks.networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        if network.version == version == 6:
            if first < _MAPPED:
                yield first, min(last, _MAPPED - 1)
            if last > _MAPPED_LAST:
                yield max(first, _MAPPED_LAST + 1), last
        elif network.version == version:
            yield first, last
        elif version == 6:
            yield _MAPPED | first, _MAPPED | last


def _merged(intervals: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
