"""Local time: a wall clock that is meant wherever an agent is, and the moment at which it is reached there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from dispatcher.core.errors import InvalidValue
from dispatcher.core.wallclock import Fold, Gap, moments_of

#: How far the first clocks on earth are ahead of UTC.
_FIRST = timedelta(hours=14)
#: How long after the first clocks the last ones on earth show the same time.
AROUND_THE_EARTH = _FIRST + timedelta(hours=12)
_YEARS = range(1, 9999)


def write(moment: datetime, site_zone: tzinfo) -> str:
    """Return the wall clock of the site at *moment*, as ISO 8601 with the site's offset: a job stores this.

    :raises InvalidValue: if there is no telling when that is elsewhere, at the end of the calendar.
    """
    if not _YEARS.start < moment.year < _YEARS.stop:
        raise InvalidValue("When/ScheduledDateTime", f"the year {moment.year} is out of range for local time")
    return moment.astimezone(site_zone).isoformat()


def asked_for(text: str) -> datetime:
    """Return the moment, aware UTC, that *text* was written for."""
    return datetime.fromisoformat(text).astimezone(UTC)


def first_moment(text: str) -> datetime:
    """Return when the wall clock in *text* is reached first anywhere on earth, aware UTC."""
    return _wall(text).replace(tzinfo=UTC) - _FIRST


def last_moment(text: str) -> datetime:
    """Return when the wall clock in *text* has been reached everywhere on earth, aware UTC."""
    return first_moment(text) + AROUND_THE_EARTH


def moment_in(text: str, zone: tzinfo) -> datetime:
    """Return when the wall clock in *text* is reached in *zone*, aware UTC.

    A time that is there twice, because the clock is put back, is reached at the first of the two. One that is left
    out, because the clock is put forward, is reached at the moment of the change.
    """
    return moments_of(_wall(text), zone, Gap.SHIFT, Fold.FIRST)[0]


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
