"""Moments: how the clocks of the site show them, and which ones these say; at the ends of the calendar, too."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from dispatcher.core.wallclock import Fold, Gap, moments_of

#: The ends of the calendar, as clocks anywhere show them, and the last whole second of it.
_FIRST_SHOWN, _LAST_SHOWN = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001
_LAST = _LAST_SHOWN.replace(tzinfo=UTC)


def to_local(moment: datetime, zone: tzinfo) -> datetime:
    """Return, without a zone, what the clocks of *zone* show at the aware *moment*.

    The last second of the calendar is the last one everywhere: it stands for what is later still
    (``from_local``). What clocks would show before the calendar, or after it, is the end of it.
    """
    if moment >= _LAST:
        return _LAST_SHOWN
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return _LAST_SHOWN if moment.year > 1 else _FIRST_SHOWN


def from_local(local: datetime, zone: tzinfo) -> datetime:
    """Return the moment, in UTC, at which the clocks of *zone* show the naive *local*, of the year 1000 or later.

    What the clocks leap over is the moment after the leap, what comes twice is the first of the two. What is after
    the calendar in UTC is the last second of it.
    """
    try:
        return moments_of(local, zone, Gap.SHIFT, Fold.FIRST)[0]
    except OverflowError:
        return _LAST
