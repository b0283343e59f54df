"""Filters: which records a client asks for, column by column; all of its conditions have to hold.

How they are checked and what they mean: ``ita_api_organization/libs/menu_filter.py`` and ``rest_filter`` in
``common_libs/loadtable/load_table.py`` of the vendor's. Records are compared as they are shown, letter case
included, but not that of their ids; of several choices each is compared (``column/multi_select_id_class.py``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.records import Record
from dispatcher.services.exastro_ita.sent_values import number_text
from dispatcher.services.exastro_ita.values import Forms

NORMAL, LIST, RANGE = "NORMAL", "LIST", "RANGE"
_MODES = (NORMAL, LIST, RANGE)
#: How the moments of a range are written, and what is said of others; a day, or a minute, is its first moment.
_DAY = re.compile(r"[0-9]{4}/(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9]|3[01])")
_MOMENT = re.compile(_DAY.pattern + r"(?: (?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{6})?)?)?")
_RANGES: Mapping[Kind, tuple[re.Pattern[str], str]] = {
    Kind.DATE: (_DAY, "YYYY/MM/DD"),
    Kind.MOMENT: (_MOMENT, "YYYY/MM/DD hh:mm:ss"),
    Kind.CHANGED_AT: (_MOMENT, "YYYY/MM/DD hh:mm:ss.ffffff"),
}
_WHOLE = "0000/00/00 00:00:00.000000"
#: What the vendor calls the numbers of the kinds, and how they are read.
_NUMBERS: Mapping[Kind, tuple[str, type[int] | type[float]]] = {
    Kind.INTEGER: ("int", int),
    Kind.NUMBER: ("float", float),
}

#: Whether a value, as it is shown, is one that is asked for.
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of a request. ``ids`` are the only records that can meet them, if that is known."""

    tests: tuple[tuple[Column, Test], ...] = ()
    ids: frozenset[UUID] | None = None

    def matches(self, forms: Forms, record: Record) -> bool:
        """Whether *record* meets all conditions."""
        return all(test(forms.of_record(column, record)) for column, test in self.tests)


def compile_filter(menu: Menu, body: Any) -> Filter:
    """Return the filter that *body* says; what it says of columns that *menu* does not have is passed over.

    :raises InvalidRecords: MSG-00034, MSG-00035 or MSG-00002, if a condition is none.
    :raises ItaError: 499-00101 for a range of what has no order; 400-00002 for what is no object.
    """
    if not body:
        return Filter()
    _check(body)
    tests: list[tuple[Column, Test]] = []
    ids: frozenset[UUID] | None = None
    for name, modes in body.items():
        column = menu.by_name.get(name)
        if column is None or column.kind is Kind.BUTTON:
            continue
        for mode, said in modes.items():
            tests.append((column, _MAKERS[mode](column, said)))
            if column.kind is Kind.KEY and mode == LIST:
                ids = _ids(said) if ids is None else ids & _ids(said)
    return Filter(tuple(tests), ids)


def _check(body: Any) -> None:
    """Check the modes, and that there is something to look for (``check_filter_parameter``)."""
    if not isinstance(body, dict):
        raise ItaError("400-00002", "json_format")
    faults: list[dict[str, list[Message]]] = []
    for name, modes in body.items():
        if not isinstance(modes, dict):
            raise ItaError("400-00002", name)
        for mode, said in modes.items():
            if mode not in _MODES:
                faults.append({name: [Message("MSG-00034", (",".join(_MODES), mode))]})
            elif not said and mode != NORMAL:
                faults.append({name: [Message("MSG-00035", (json.dumps(said),))]})
    if faults:
        raise InvalidRecords(dict(enumerate(faults)))


def _normal(column: Column, said: Any) -> Test:
    """Return the test whether a text contains what is *said*; nothing contains nothing."""
    part = (
        number_text(_number(column, said)) if column.kind in _NUMBERS else said if isinstance(said, str) else str(said)
    )
    if column.kind is Kind.KEY:
        return lambda shown: part.casefold() in _text(shown)
    if column.is_many:
        return lambda shown: any(part in text for text in _several(shown))
    return lambda shown: shown is not None and part in _text(shown)


def _list(column: Column, said: Any) -> Test:
    """Return the test whether a value, or one of several choices, is one of those that are *said*; null is no value."""
    some = said if isinstance(said, list) else [said]
    is_nothing = any(one is None for one in some)
    if column.kind in _NUMBERS:
        numbers = {_number(column, one) for one in some}
        return lambda shown: shown in numbers
    texts = {_text(one) for one in some if one is not None}
    if column.kind is Kind.KEY:
        texts = {text.casefold() for text in texts}
    if column.is_many:
        return lambda shown: any(text in texts for text in found) if (found := _several(shown)) else is_nothing
    return lambda shown: is_nothing if shown is None else _text(shown) in texts


def _range(column: Column, said: Any) -> Test:
    """Return the test whether a value is between ``START`` and ``END``, both included, of which one may be missing."""
    if column.kind not in _NUMBERS and column.kind not in _RANGES:
        raise ItaError("499-00101", column.name)
    if not isinstance(said, dict):
        raise ItaError("400-00002", column.name)
    is_text = column.kind not in _NUMBERS
    start, end = (_bound(column, said[name]) if name in said else None for name in ("START", "END"))

    def test(shown: Any) -> bool:
        if shown is None or isinstance(shown, str) is not is_text:
            return False
        return (start is None or start <= shown) and (end is None or shown <= end)

    return test


_MAKERS: Mapping[str, Callable[[Column, Any], Test]] = {NORMAL: _normal, LIST: _list, RANGE: _range}


def _bound(column: Column, said: Any) -> Any:
    if column.kind in _NUMBERS:
        return _number(column, said)
    pattern, told = _RANGES[column.kind]
    if not isinstance(said, str) or not pattern.fullmatch(said):
        raise _unfit(column, told, said)
    # As long as values of the column are shown: so texts are in the order of the moments.
    length = {Kind.DATE: 10, Kind.MOMENT: 19}.get(column.kind, len(_WHOLE))
    return (said + _WHOLE[len(said) :])[:length]


def _number(column: Column, said: Any) -> float:
    told, read = _NUMBERS[column.kind]
    try:
        number = read(said)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) if isinstance(number, float) else False:
        raise _unfit(column, told, said)
    return number


def _unfit(column: Column, told: str, said: Any) -> InvalidRecords:
    return InvalidRecords({0: {column.name: [Message("MSG-00002", (told, said))]}})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return number_text(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def _several(shown: str) -> list[str]:
    """Return the choices that a column of several shows."""
    return json.loads(shown)  # type: ignore[no-any-return]


def _ids(said: Any) -> frozenset[UUID]:
    return frozenset(_read_ids(said if isinstance(said, list) else [said]))


def _read_ids(some: list[Any]) -> Iterator[UUID]:
    for text in some:
        try:
            yield UUID(text)
        except (AttributeError, TypeError, ValueError):
            continue  # no record has that
