"""Recurrence: the due times of a job that starts again and again, by the rules of RFC 5545.

A recurrence is text: ``DTSTART;TZID=Europe/Berlin:20260301T080000`` and, in lines of their own, ``RRULE:...`` and any
number of ``EXDATE:...`` and ``RDATE:...``. Without a rule it occurs once. What is meant:

- DAILY, WEEKLY, MONTHLY and YEARLY go by the wall clock of the zone; HOURLY and MINUTELY count the time that passes
  from DTSTART on, whatever the clocks show.
- DTSTART is the earliest due time, and the time of day; it is a due time itself only if the rule says so.
- COUNT counts due times: a local time that does not exist is none, one that comes twice may be two.
- ``EXDATE;VALUE=PERIOD;TZID=...:20260301T080000/20260305T080000`` leaves out what is due from the first moment on and
  before the second.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from dispatcher.core import recurrence_text
from dispatcher.core.errors import InvalidValue
from dispatcher.core.recurrence_text import Frequency, RuleText
from dispatcher.core.wallclock import Fold, Gap, find_zone, moments_of

#: No recurrence goes on after this.
END = datetime(2400, 1, 1, tzinfo=UTC)
#: ``rrule`` looks for what never comes until the year 9999. So the years are counted higher for it, by a multiple of
#: the 400 after which the calendar repeats itself: END is then where it stops.
_SHIFT = 7_600
#: By how much a change of the clocks may put moments in another order than wall clocks, at most.
_DISORDER = timedelta(hours=25)
_STEPS = {Frequency.HOURLY: timedelta(hours=1), Frequency.MINUTELY: timedelta(minutes=1)}
_FREQUENCIES: dict[Frequency, Literal[0, 1, 2, 3]] = {
    Frequency.YEARLY: YEARLY,
    Frequency.MONTHLY: MONTHLY,
    Frequency.WEEKLY: WEEKLY,
    Frequency.DAILY: DAILY,
}
#: How often a weekday comes at most.
_MOST_OF_A_MONTH, _MOST_OF_A_YEAR = 5, 53
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Due times in order, each once; all in UTC. ``str()`` is the text that gives the same recurrence again."""

    text: str
    start: datetime  #: on the wall clock, without a zone
    zone: ZoneInfo
    rule: RuleText | None
    gap: Gap
    fold: Fold
    until: datetime = END
    extra: tuple[datetime, ...] = ()
    left_out: frozenset[datetime] = frozenset()
    stops: tuple[tuple[datetime, datetime], ...] = ()  #: nothing is due from the first moment of each up to its second

    def __str__(self) -> str:
        """Return the text in its one form."""
        return self.text

    def after(self, moment: datetime) -> datetime | None:
        """Return the first due time after *moment*, in a time that does not depend on how long ago the start was."""
        return next(self._due(moment), None)

    def upto(self, start: datetime, end: datetime, limit: int) -> tuple[list[datetime], datetime | None]:
        """Return what ``between`` does, and the due time that follows, if there is one: both in one go."""
        due: list[datetime] = []
        for moment in self._due(start):
            if moment > end or len(due) == limit:
                return due, moment
            due.append(moment)
        return due, None

    def between(self, start: datetime, end: datetime, limit: int) -> list[datetime]:
        """Return the due times after *start* and up to *end*, in order; the first *limit* if there are more."""
        return [*islice(takewhile(lambda moment: moment <= end, self._due(start)), limit)]

    def _due(self, after: datetime) -> Iterator[datetime]:
        """Give the due times after *after*, in order, each once."""
        goes_on = True
        while goes_on:
            goes_on = False
            for moment in self._unstopped(after):
                end = next((end for start, end in self.stops if start <= moment < end), None)
                if end is not None:  # there may be very many before that
                    after, goes_on = end - _INSTANT, True
                    break
                yield moment
                after = moment

    def _unstopped(self, after: datetime) -> Iterator[datetime]:
        """Give the due times after *after*, in order, each once, also those in ``stops``."""
        ruled = takewhile(lambda moment: moment <= self.until, self._ruled(after))
        latest = after
        for moment in heapq.merge(ruled, self.extra) if self.extra else ruled:
            if moment > latest and moment not in self.left_out:
                yield moment
                latest = moment

    def _ruled(self, after: datetime) -> Iterator[datetime]:
        """Give the moments of the rule, from *after* or somewhat earlier on, in order."""
        if self.rule is not None and self.rule.frequency in _STEPS:
            step = _STEPS[self.rule.frequency] * self.rule.interval
            moment = self.first_moment()
            moment += max(0, (after - moment) // step) * step
            while moment < self.until + step:
                yield moment
                moment += step
            return
        local = after.astimezone(self.zone).replace(tzinfo=None)
        yield from self._in_order(self._locals(local - _DISORDER))

    def first_moment(self) -> datetime:
        """Return the moment from which on time is counted."""
        fold = Fold.SECOND if self.fold is Fold.SECOND else Fold.FIRST
        return moments_of(self.start, self.zone, Gap.SHIFT, fold)[0]

    def _in_order(self, locals_: Iterator[datetime]) -> Iterator[datetime]:
        """Give the moments of local times in order: where clocks are put back, 2:30 comes before 2:00 comes again."""
        waiting: list[datetime] = []
        for local in locals_:
            moments = moments_of(local, self.zone, self.gap, self.fold)
            # Whatever comes later on the wall clock does not come before the earliest of these.
            while waiting and moments and waiting[0] < moments[0]:
                yield heapq.heappop(waiting)
            for moment in moments:
                heapq.heappush(waiting, moment)
        while waiting:
            yield heapq.heappop(waiting)

    def _locals(self, local: datetime) -> Iterator[datetime]:
        """Give the local times of the rule from *local* on, in order."""
        local = max(local, self.start)
        if self.rule is None:
            if local == self.start:
                yield local
            return
        if local.year >= END.year:
            return
        anchor = self._period_of(self.rule, local)
        for shifted in self._expand(self.rule, anchor.replace(year=anchor.year + _SHIFT)):
            one = shifted.replace(year=shifted.year - _SHIFT)
            if one >= local:
                yield one

    def _period_of(self, rule: RuleText, local: datetime) -> datetime:
        """Return the beginning of the period of *rule* that *local*, not before the start, lies in or comes after."""
        start = self.start.date()
        if rule.frequency in (Frequency.DAILY, Frequency.WEEKLY):
            days = rule.interval
            if rule.frequency is Frequency.WEEKLY:
                days *= 7
                start -= (start.weekday() - rule.week_start) % 7 * _DAY
            start += (local.date() - start).days // days * days * _DAY
            return datetime.combine(start, time())
        months, first = (
            (rule.interval, start.month - 1) if rule.frequency is Frequency.MONTHLY else (rule.interval * 12, 0)
        )
        gone = (local.year - start.year) * 12 + local.month - 1 - first
        first += gone // months * months
        return datetime(start.year + first // 12, first % 12 + 1, 1)  # noqa: DTZ001 - a wall clock's time

    def _expand(self, rule: RuleText, anchor: datetime) -> Iterator[datetime]:
        """Give the local times of *rule* from *anchor* on, the beginning of a period, in order."""
        on_day, on_weekday, in_month = rule.month_days, rule.days, rule.months
        if not (on_day or on_weekday or rule.year_days):
            if rule.frequency is Frequency.WEEKLY:
                on_weekday = ((self.start.weekday(), 0),)
            elif rule.frequency in (Frequency.MONTHLY, Frequency.YEARLY):
                on_day = (self.start.day,)
                in_month = in_month or ((self.start.month,) if rule.frequency is Frequency.YEARLY else ())
        elif any(number for _, number in on_weekday):
            of_years = rule.frequency is Frequency.YEARLY and not in_month
            on_weekday = _numbered(on_weekday, _MOST_OF_A_YEAR if of_years else _MOST_OF_A_MONTH)
            if not on_weekday:
                return iter(())
        found = rrule(
            _FREQUENCIES[rule.frequency],
            dtstart=anchor,
            interval=rule.interval,
            wkst=rule.week_start,
            bymonth=in_month or None,
            bymonthday=on_day or None,
            byyearday=rule.year_days or None,
            byweekday=[weekday(day, number) if number else weekday(day) for day, number in on_weekday] or None,
            bysetpos=rule.positions or None,
            byhour=rule.hours or (self.start.hour,),
            byminute=rule.minutes or (self.start.minute,),
            bysecond=(self.start.second,),
        )
        return iter(found)


@lru_cache(maxsize=10_000)
def parse(text: str, gap: Gap = Gap.SHIFT, fold: Fold = Fold.FIRST) -> Recurrence:
    """Return the recurrence in *text*; the work is bounded, whatever the text.

    *gap* says what a local time gives that the clocks leap over, *fold* one that comes twice.

    :raises InvalidValue: if it is none, asks for more often than a minute, or never occurs; the error names the part.
    """
    lines = recurrence_text.parse(text)
    try:
        zone = find_zone(lines.zone)
    except ValueError as error:
        raise InvalidValue("DTSTART/TZID", str(error)) from None
    bare = Recurrence(str(lines), lines.start, zone, lines.rule, gap, fold)
    found = replace(
        bare,
        until=bare.until if lines.rule is None else _until(bare, lines.rule),
        extra=tuple(sorted(_moments(bare, lines.extra))),
        left_out=frozenset(_moments(bare, lines.left_out)),
        stops=tuple((min(_moments(bare, [start])), max(_moments(bare, [end]))) for start, end in lines.stops),
    )
    if found.after(_LONG_AGO) is None:
        raise InvalidValue("RRULE", "never occurs")
    return found


def _numbered(days: Sequence[tuple[int, int]], most: int) -> tuple[tuple[int, int], ...]:
    """Return *days* with a number each, up to *most*: ``dateutil`` looks for later ones beyond the end of its year.

    A day without a number is given with every one, because ``dateutil`` takes ``MO,2TU`` for what is both, not either.
    """
    every = range(1, most + 1)
    return tuple((day, one) for day, number in days for one in ((number,) if number else every) if abs(one) <= most)


def _moments(bare: Recurrence, dates: Sequence[datetime]) -> Iterator[datetime]:
    """Give the moments of *dates*: those in UTC as they are, others by the zone of the start."""
    for one in dates:
        if one.tzinfo is not None:
            yield one
        else:
            yield from moments_of(one, bare.zone, Gap.SHIFT, bare.fold)


def _until(bare: Recurrence, rule: RuleText) -> datetime:
    """Return the moment after which nothing of *rule* is due. A COUNT is counted here, once and for all."""
    if rule.until is not None:
        if rule.until.tzinfo is not None:
            return rule.until
        return moments_of(rule.until, bare.zone, Gap.SHIFT, Fold.SECOND)[0]
    if rule.count is None:
        return bare.until
    if rule.frequency in _STEPS:
        return bare.first_moment() + (rule.count - 1) * _STEPS[rule.frequency] * rule.interval
    counted = bare.between(_LONG_AGO, END, rule.count)
    if len(counted) < rule.count:
        raise InvalidValue("RRULE/COUNT", f"goes on beyond the year {END.year - 1}")
    return counted[-1]
