"""The wall clock: which moments a local time stands for, also when the clocks are changed."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_FIXED = re.compile(r"UTC([+-])([01][0-9]|2[0-3])([0-5][0-9])")
#: What names look like; each part of another one is looked for by Python as a package in a package, without an end.
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,3}")


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
    """Return the time zone with this IANA name, or that of clocks that are never changed, such as ``UTC+0530``.

    :raises ValueError: if there is none.
    """
    if (match := _FIXED.fullmatch(name)) is not None:
        return _fixed_zone(name, int(match[1] + "1") * (60 * int(match[2]) + int(match[3])))
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        pass
    raise ValueError(f"{name[:100]!r} is no time zone such as UTC or Europe/Berlin")


def fixed_zone_name(offset: timedelta) -> str:
    """Return the name by which ``find_zone`` knows clocks that are always so far ahead of UTC: ``UTC-0800``.

    :raises ValueError: if *offset* is no whole number of minutes, or a day or more.
    """
    if offset % _MINUTE or abs(offset) >= _DAY:
        raise ValueError(f"no clock is {offset} from UTC")
    hours, minutes = divmod(abs(offset) // _MINUTE, 60)
    return f"UTC{'-' if offset < timedelta() else '+'}{hours:02}{minutes:02}" if offset else "UTC"


@lru_cache
def _fixed_zone(name: str, minutes: int) -> ZoneInfo:
    # A time zone file (RFC 8536, version 1) with one kind of time, which is not summer time, and no change.
    counts = struct.pack(">6L", 0, 0, 0, 0, 1, len(name) + 1)
    file = b"TZif" + bytes(16) + counts + struct.pack(">lBB", minutes * 60, 0, 0) + name.encode() + b"\0"
    return ZoneInfo.from_file(BytesIO(file), key=name)


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
