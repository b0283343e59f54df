"""Dates: moments as WCF writes them in JSON and XML, and every form that clients send (contract sections 2.1, 4.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_WCF_DATE = re.compile(r"/Date\((-?[0-9]{1,17})(?:[+-][0-9]{4})?\)/", re.IGNORECASE)
#: .NET sends its DateTime.MinValue, in year 1, for a date that was never set.
_FIRST_REAL_MS = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND


def parse_moment(text: str, site_zone: tzinfo) -> datetime | None:
    """Return the moment that *text* names, aware UTC; None for an empty text and for .NET's unset date.

    Reads ``/Date(ms)/``, ``/Date(ms+zzzz)/`` (the milliseconds are UTC whatever the suffix says) and ISO 8601; an ISO
    date without a zone is in *site_zone*.

    :raises ValueError: if it is none of these or lies outside the years 2 to 9999.
    """
    text = text.strip()
    if not text:
        return None
    match = _WCF_DATE.fullmatch(text)
    try:
        return _from_iso(text, site_zone) if match is None else _from_milliseconds(int(match[1]))
    except OverflowError:
        raise ValueError("the date is out of range") from None


def _from_iso(text: str, site_zone: tzinfo) -> datetime | None:
    moment = datetime.fromisoformat(text)
    if moment.year == 1:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=site_zone)
    moment = moment.astimezone(UTC)
    return None if moment.year == 1 else moment  # the first hours of year 2 east of Greenwich


def _from_milliseconds(milliseconds: int) -> datetime | None:
    return None if milliseconds < _FIRST_REAL_MS else _EPOCH + timedelta(milliseconds=milliseconds)


def format_xml(moment: datetime) -> str:
    """Return *moment* as XML shows it: the UTC value without a zone (contract section 4.2)."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text = orjson.dumps(moment)[1:-7].decode()  # a quarter of what isoformat takes
    return text.rstrip("0") if moment.microsecond else text


def format_json(moment: datetime, site_zone: tzinfo) -> str:
    """Return *moment* as ``/Date(ms+zzzz)/``, in whole milliseconds; the slashes are escaped later.

    With a site zone other than UTC the milliseconds are UTC minus the offset: the original takes the UTC value from
    its database as local time, and clients have learnt to correct that (contract section 4.2).
    """
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    if site_zone is UTC:
        return f"/Date({milliseconds}+0000)/"
    offset = moment.astimezone(UTC).replace(tzinfo=site_zone).utcoffset() or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    sign = "-" if offset < timedelta() else "+"
    return f"/Date({milliseconds - offset // _MILLISECOND}{sign}{hours:02}{minutes:02})/"
