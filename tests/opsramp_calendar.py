"""OpsRamp's calendar: patterns in the words of the seed's grammar, and their due times, worked out day by day."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
INDEXES = ["First", "Second", "Third", "Fourth", "Last"]
DAY = timedelta(days=1)

Fits = Callable[[date, date], bool]


def nth_of(index: str, day: str) -> Fits:
    """Return whether a date is that day of its month, by counting."""

    def fits(one: date, _start: date) -> bool:
        last = calendar.monthrange(one.year, one.month)[1]
        named = [n for n in range(1, last + 1) if one.replace(day=n).strftime("%A") == day]
        return one.day == (named[-1] if index == "Last" else named[INDEXES.index(index)])

    return fits


@st.composite
def patterns(draw: st.DrawFn) -> tuple[dict[str, Any], Fits]:
    """Give a pattern in the seed's words, and which dates fit it if it began on a date: independently worked out."""
    kind = draw(st.sampled_from(["everyday", "every weekday", "recurrence", "weekly", "month days", "nth"]))
    if kind == "everyday":
        return {"type": "daily", "frequency": kind}, lambda _one, _start: True
    if kind == "every weekday":
        return {"type": "daily", "frequency": kind}, lambda one, _start: one.strftime("%a") not in ("Sat", "Sun")
    if kind == "recurrence":
        days = draw(st.integers(1, 40))
        found = {"type": "daily", "frequency": kind, "repeatType": "Days", "repeatFrequency": str(days)}
        return found, lambda one, start: (one.toordinal() - start.toordinal()) % days == 0
    if kind == "weekly":
        chosen = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        separator = draw(st.sampled_from([",", ", ", " , "]))
        return {"type": "weekly", "weekDays": separator.join(chosen)}, lambda one, _: one.strftime("%A") in chosen
    if kind == "month days":
        numbers = draw(st.lists(st.integers(1, 31), min_size=1, unique=True))
        return {"type": "monthly", "dayOfMonth": ", ".join(map(str, numbers))}, lambda one, _: one.day in numbers
    index, day = draw(st.sampled_from(INDEXES)), draw(st.sampled_from(NAMES))
    return {"type": "monthly", "weekIndex": index, "dayOfWeek": day}, nth_of(index, day)


offsets = st.sampled_from([0, 0, 330, -210, 840, -720])
starts = st.datetimes(datetime(1971, 1, 1), datetime(2380, 1, 1))  # noqa: DTZ001 - the offset is drawn beside it


def by_calendar(fits: Fits, start: datetime, after: datetime, count: int) -> Iterator[datetime]:
    """Give the first due times after *after*, day by day."""
    one = start if start > after else start.replace(year=after.year, month=after.month, day=after.day) - 2 * DAY
    while count:
        if one >= start and one > after and fits(one.date(), start.date()):
            yield one.astimezone(UTC)
            count -= 1
        one += DAY
