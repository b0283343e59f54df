"""The wall clock: which moments a local time stands for, also when the clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


class Gap(StrEnum):
    """What a local time stands for that the clocks leap over. The values are stored and must never change."""

    SKIP = "skip"  #: nothing
    SHIFT = "shift"  #: the first moment after the leap


class Fold(StrEnum):
    """What a local time stands for that comes twice. The values are stored and must never change."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone with this IANA name.

    :raises ValueError: if there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{name[:100]!r} is no time zone such as UTC or Europe/Berlin") from None


def moments_of(local: datetime, zone: tzinfo, gap: Gap, fold: Fold) -> tuple[datetime, ...]:
    """Return the moments, in UTC and in order, that the naive *local* time stands for: none, one or two."""
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    early, late = first.utcoffset(), second.utcoffset()
    assert early is not None and late is not None  # noqa: S101, PT018 - every zone knows its offset
    moment = first.astimezone(UTC)
    if early == late:
        return (moment,)
    if early < late:  # the clocks leap over it: read by the old offset it is after the leap, by the new one before it
        return () if gap is Gap.SKIP else (change_between(second.astimezone(UTC), moment, zone),)
    again = second.astimezone(UTC)
    return {Fold.FIRST: (moment,), Fold.SECOND: (again,), Fold.BOTH: (moment, again)}[fold]


def change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the second, after *before* and up to *after* (UTC), at which the clocks of *zone* are changed."""
    offset = before.astimezone(zone).utcoffset()
    low = before.replace(microsecond=0)
    high = after.replace(microsecond=0) + (_SECOND if after.microsecond else timedelta())
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def describe(moment: datetime, zone: tzinfo) -> str:
    """Return what a change of the clocks has to do with *moment* in *zone*, in words; empty if nothing."""
    local = moment.astimezone(zone)
    before = (moment.astimezone(UTC) - _SECOND).astimezone(zone)
    early, late = before.utcoffset(), local.utcoffset()
    if early is not None and late is not None and early < late:
        leap = local.replace(tzinfo=None) - (late - early)
        return f"the clocks go forward from {leap:%H:%M} to {local:%H:%M}"
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return f"{local:%H:%M} comes twice: this is the {'second' if local.fold else 'first'} time"
    return ""
