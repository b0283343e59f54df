"""Sent values: what was sent becomes what is stored, if it fits its column.

What fits, and what is said of what does not, is the vendor's (``common_libs/column`` of 2.7): one message a value.
Of files the names are read (their contents: ``services.exastro_ita.files``); what the system writes itself is not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.moments import from_local
from dispatcher.services.exastro_ita.patterns import fits
from dispatcher.services.secrets import MASK

#: What integers are between where a column does not say it.
_LEAST, _MOST = -(2**31), 2**31 - 1
#: Between these JSON is written and read with integers, whatever a column says; outside there are no exact numbers.
_FIRST_KEPT, _LAST_KEPT = -(2**63), 2**64 - 1
#: What one line, and several, may not have in them.
_LINE, _LINES = r"^[^\t\r\n]*$", r"^[^\t]*$"
_FILE_NAME, _FILE_NAME_BYTES = r"^[^,\"\t\/\r\n]*$", 255
_NUMBER = r"^((-[1-9])?[0-9]{0,}|-0)(\.[0-9]{0,})?$"
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,30}\s*")
_DATE = re.compile(r"([0-9]{4})/(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])")
_MOMENT = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})(?: ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?")
_FIRST_DATE, _LAST_DATE = "1000/01/01", "9999/12/31"
_FIRST_MOMENT, _LAST_MOMENT = "1000/01/01 00:00:00", "9999/12/31 23:59:59"
#: What no database keeps, or no answer can be written with.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: How much of a value a message repeats.
_TOLD = 1_000


class Unfit(Exception):
    """What was sent does not fit its column; ``message`` says why."""

    def __init__(self, message_id: str, *values: object) -> None:
        super().__init__(message_id)
        self.message = Message(message_id, values)


def read_moment(text: Any, zone: tzinfo) -> datetime:
    """Return the moment, in UTC, that *text* is by the clocks of *zone*: a day, perhaps with its time.

    :raises Unfit: MSG-00002 if it is none, MSG-00003 if the vendor's database could not keep it.
    """
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    try:
        local = datetime(*(int(part or 0) for part in match.groups())) if match else None  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        local = None
    if local is None:
        raise Unfit("MSG-00002", "YYYY/MM/DD hh:mm:ss", told(text))
    if local.year < int(_FIRST_MOMENT[:4]):
        raise Unfit("MSG-00003", _FIRST_MOMENT, _LAST_MOMENT, text)
    return from_local(local, zone)


def told(value: Any) -> str:
    """Return *value* as messages repeat it: short, and writable."""
    text = text_of(value)[:_TOLD]
    return text.encode("utf-8", "backslashreplace").decode()


def text_of(value: Any) -> str:
    """Return the text that is compared and checked where *value* is none."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except ValueError:  # a number of more digits than Python writes
        return "..."


def number_text(value: Any) -> str:
    """Return the text of a number as people write it: without an exponent, and what is whole without a point."""
    if not isinstance(value, float) or not math.isfinite(value):
        return text_of(value)
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _text(column: Column, sent: Any, _zone: tzinfo) -> str:
    """Return a text, checked; numbers and truth values are texts, too (the vendor's issue 2523)."""
    if isinstance(sent, dict | list):
        raise Unfit("MSG-00032", _named(column, sent))
    text = text_of(sent)
    if found := _UNSTORABLE.search(text):
        raise Unfit("MSG-00009", f"^[^\\x{{{ord(found[0]):X}}}]*$", _named(column, sent))
    size = len(text.encode())
    if column.max_bytes is not None and size > column.max_bytes:
        raise Unfit("MSG-00008", column.max_bytes, size)
    if column.pattern and not fits(column.pattern, text):
        raise Unfit("MSG-00009", column.pattern, _named(column, sent))
    forbidden, pattern = ("\t", _LINES) if column.kind in (Kind.LINES, Kind.REMARKS) else ("\t\r\n", _LINE)
    if any(character in text for character in forbidden):
        raise Unfit("MSG-00009", pattern, _named(column, sent))
    return text


def _named(column: Column, sent: Any) -> str:
    """Return *sent* as messages repeat it, unless it is a secret."""
    return MASK if column.kind is Kind.PASSWORD else told(sent)


def _file_name(column: Column, sent: Any, zone: tzinfo) -> str:
    """Return the name of a file. The vendor means to check it so; it would go into paths."""
    text = _text(column, sent, zone)
    if (size := len(text.encode())) > _FILE_NAME_BYTES:
        raise Unfit("MSG-00008", _FILE_NAME_BYTES, size)
    if not fits(_FILE_NAME, text):
        raise Unfit("MSG-00009", _FILE_NAME, told(text))
    return text


def _lines(column: Column, sent: Any, zone: tzinfo) -> str:
    return _text(column, sent, zone).replace("\r\n", "\n").replace("\r", "\n")


def _integer(column: Column, sent: Any, _zone: tzinfo) -> int:
    is_whole = isinstance(sent, int) and not isinstance(sent, bool)
    is_number = is_whole or (isinstance(sent, float) and math.isfinite(sent))
    if not is_number and not (isinstance(sent, str) and _INTEGER.fullmatch(sent)):
        raise Unfit("MSG-00031", told(sent))
    value = int(sent)
    least = _LEAST if column.least is None else max(int(column.least), _FIRST_KEPT)
    most = _MOST if column.most is None else min(int(column.most), _LAST_KEPT)
    if not least <= value <= most:
        raise Unfit("MSG-00019", least, most, told(value))
    return value


def _number(column: Column, sent: Any, _zone: tzinfo) -> float | None:
    text = number_text(sent)
    if isinstance(sent, bool | dict | list) or (text and not _is_number(text)):
        raise Unfit("MSG-00009", _NUMBER, told(sent))
    if not text:
        return None
    value, least, most = float(text), column.least, column.most
    if least is not None and most is not None and not least <= value <= most:
        raise Unfit("MSG-00019", least, most, told(sent))
    if least is not None and value < least:
        raise Unfit("MSG-00020", least, told(sent))
    if most is not None and value > most:
        raise Unfit("MSG-00021", most, told(sent))
    # What is whole is shown without a point, as the vendor does.
    return int(value) if value.is_integer() and _FIRST_KEPT <= value <= _LAST_KEPT else value


def _is_number(text: str) -> bool:
    if len(text) > _TOLD or _UNSTORABLE.search(text) or not fits(_NUMBER, text):
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:  # a point and nothing else
        return False


def _date(_column: Column, sent: Any, _zone: tzinfo) -> str | None:
    if sent == "":
        return None
    match = _DATE.fullmatch(sent) if isinstance(sent, str) else None
    try:
        day = datetime(*map(int, match.groups())) if match else None  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        day = None
    if day is None:
        raise Unfit("MSG-00002", "YYYY/MM/DD", told(sent))
    if sent < _FIRST_DATE:
        raise Unfit("MSG-00003", _FIRST_DATE, _LAST_DATE, sent)
    return str(sent)


def _moment(_column: Column, sent: Any, zone: tzinfo) -> str | None:
    return None if sent == "" else read_moment(sent, zone).astimezone(UTC).isoformat()


def read(column: Column, sent: Any, zone: tzinfo) -> Any:
    """Return *sent*, a value of a kind that needs nothing else to be read, as it is stored; times are those of *zone*.

    Values of kinds that are not read here stay as they were sent.

    :raises Unfit: if it does not fit the column.
    """
    reader = _READERS.get(column.kind)
    return sent if reader is None else reader(column, sent, zone)


_READERS: Mapping[Kind, Callable[[Column, Any, tzinfo], Any]] = {
    Kind.TEXT: _text,
    Kind.LINK: _text,
    Kind.FILE: _file_name,
    Kind.LINES: _lines,
    Kind.REMARKS: _lines,
    Kind.PASSWORD: _text,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.MOMENT: _moment,
}
