"""Regular values: what the columns of a regular execution say of when it runs, checked and understood.

The checks, their order and their messages are those of the vendor's ``common_libs/validate/valid_30107.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from dispatcher.core.recurrence_text import YEARS
from dispatcher.services.exastro_ita.columns_of.regular import REGULAR
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.moments import to_local
from dispatcher.services.exastro_ita.periods import LAST, Period, Timetable

#: Up to which interval the vendor takes them, whatever its message says.
MAX_INTERVAL = 1_439
#: The columns that say when it runs.
SCHEDULE = (
    "start_date",
    "end_date",
    "period",
    "interval",
    "week_number",
    "day_of_week",
    "day",
    "time",
    "execution_stop_start_date",
    "execution_stop_end_date",
)
_REQUIRED = ("start_date", "period", "interval")
_DATES = ("start_date", "end_date", "execution_stop_start_date", "execution_stop_end_date")
#: Of which years rules are (``core.recurrence_text``), wherever on earth.
_FIRST = datetime(YEARS.start, 1, 2, tzinfo=UTC)
_LAST = datetime(YEARS.stop - 1, 12, 30, tzinfo=UTC)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", re.ASCII)
_LABELS = {column.name: column.label for column in REGULAR}
_UNUSED: Mapping[Period, tuple[str, ...]] = {
    Period.HOURS: ("week_number", "day_of_week", "day", "time"),
    Period.MINUTES: ("week_number", "day_of_week", "day", "time"),
    Period.DAYS: ("week_number", "day_of_week", "day"),
    Period.WEEKS: ("week_number", "day"),
    Period.MONTH_DAY: ("week_number", "day_of_week"),
    Period.MONTH_WEEKDAY: ("day",),
    Period.MONTH_END: ("week_number", "day_of_week", "day"),
}


def faults_of(values: Mapping[str, Any], language: str) -> list[Message]:
    """Return what is wrong with the schedule in *values* (stored form) as a whole; columns are named in *language*."""
    found: list[Message] = []
    start, end = values.get("start_date"), values.get("end_date")
    if start and end:
        found += _order(start, end, "MSG-40029", "MSG-40030")
    interval = values.get("interval")
    if values.get("period") and interval is not None:
        found += _period_faults(Period(values["period"]), interval, values, language)
    first, last = values.get("execution_stop_start_date"), values.get("execution_stop_end_date")
    if first and last:
        found += _order(first, last, "MSG-40039", "MSG-40040")
    elif first or last:
        found.append(Message("MSG-40041"))
    return found


def _order(first: str, second: str, same: str, wrong: str) -> list[Message]:
    one, other = datetime.fromisoformat(first), datetime.fromisoformat(second)
    if one == other:
        return [Message(same)]
    return [Message(wrong)] if one > other else []


def _period_faults(period: Period, interval: int, values: Mapping[str, Any], language: str) -> list[Message]:
    found: list[Message] = []
    if not 1 <= interval <= MAX_INTERVAL:
        found.append(Message("MSG-40031"))
    if period is Period.MONTH_WEEKDAY and not values.get("week_number"):
        found.append(Message("MSG-40032"))
    if period in (Period.WEEKS, Period.MONTH_WEEKDAY) and not values.get("day_of_week"):
        found.append(Message("MSG-40033"))
    if period is Period.MONTH_DAY:
        day = values.get("day")
        if day is None:
            found.append(Message("MSG-40034"))
        elif not 1 <= day <= 31:
            found.append(Message("MSG-40035"))
    if not period.counts:
        text = (values.get("time") or "").strip()
        if not text:
            found.append(Message("MSG-40036"))
        elif not _TIME.fullmatch(text):
            found.append(Message("MSG-40037"))
    unused = [_LABELS[name] for name in _UNUSED[period] if values.get(name)]
    if unused:
        found.append(Message("MSG-40038", (",".join(label.en if language == "en" else label.ja for label in unused),)))
    return found


def to_timetable(values: Mapping[str, Any]) -> Timetable:
    """Return when a regular execution with *values*, which have no faults, runs."""
    first, last = _moment(values.get("execution_stop_start_date")), _moment(values.get("execution_stop_end_date"))
    start = _moment(values["start_date"])
    assert start is not None  # noqa: S101 - the column is required
    return Timetable(
        Period(values["period"]),
        values["interval"],
        start,
        _moment(values.get("end_date")),
        time.fromisoformat((values.get("time") or "00:00:00").strip()),
        tuple(sorted(int(one) - 1 for one in values.get("day_of_week") or ())),
        int(values.get("week_number") or 1),
        values.get("day") or 1,
        (first, last) if first and last else None,
    )


def to_values(table: Timetable | None) -> dict[str, Any]:
    """Return the columns that say what *table* says, in their stored form; nothing in all of them without one."""
    values: dict[str, Any] = dict.fromkeys(SCHEDULE)
    if table is None:
        return values
    stop = table.stop or (None, None)
    values |= {"start_date": table.start.isoformat(), "period": table.period.value, "interval": table.interval}
    values["end_date"] = table.end.isoformat() if table.end else None
    values["execution_stop_start_date"], values["execution_stop_end_date"] = (
        one.isoformat() if one else None for one in stop
    )
    if not table.period.counts:
        values["time"] = table.at.strftime("%H:%M:%S")
    if table.period in (Period.WEEKS, Period.MONTH_WEEKDAY):
        values["day_of_week"] = [str(day + 1) for day in table.weekdays]
    if table.period is Period.MONTH_WEEKDAY:
        values["week_number"] = str(LAST if table.week == LAST else table.week)
    if table.period is Period.MONTH_DAY:
        values["day"] = table.day
    return values


def missing(values: Mapping[str, Any]) -> dict[str, list[Message]]:
    """Return which columns, without which nobody knows when it runs, *values* do not have: no period says its rule."""
    return {name: [Message("MSG-00030")] for name in _REQUIRED if values.get(name) is None}


def out_of_range(values: Mapping[str, Any], zone: tzinfo) -> dict[str, list[Message]]:
    """Return which dates in *values*, by column, are in years that no rule has; told by the clocks of *zone*."""
    found: dict[str, list[Message]] = {}
    for name in _DATES:
        moment = _moment(values.get(name))
        if moment is not None and not _FIRST <= moment <= _LAST:
            limits = tuple(f"{one.year:04}/{one:%m/%d %H:%M:%S}" for one in (_FIRST, _LAST, to_local(moment, zone)))
            found[name] = [Message("MSG-00003", limits)]
    return found


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
