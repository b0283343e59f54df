"""OData filters: the conditions of ``$filter``: ``eq`` and ``contains``, joined by ``and`` (contract IES 1.1).

Texts are compared without regard to case, as the vendor's database does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from dispatcher.core.errors import InvalidValue

FILTER = "$filter"
#: How many conditions one filter may have.
MAX_TERMS = 50

Literal = str | int | float | bool | datetime | UUID | None


class Kind(Enum):
    """What a field holds, and so which literals it is compared with."""

    TEXT = auto()
    NUMBER = auto()
    FLAG = auto()
    MOMENT = auto()
    GUID = auto()
    OTHER = auto()  #: what cannot be compared, such as an object or an array


class Operator(Enum):
    """How a field is compared."""

    EQUALS = "eq"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``value`` is of the kind of the field, or None for ``null``. Moments are aware."""

    field: str
    operator: Operator
    value: Literal

    def fits(self, value: Any) -> bool:
        """Whether *value*, that of the field, meets it."""
        if value is None or self.value is None:
            return value is None and self.value is None
        if not isinstance(self.value, str | UUID):
            return bool(value == self.value)
        found, wanted = str(value).casefold(), str(self.value).casefold()
        return wanted in found if self.operator is Operator.CONTAINS else found == wanted


# Possessive, so that no input makes it look at a character twice. A literal without quotes ends at what ends one.
_TOKEN = re.compile(
    r"\s*+(?:(?P<mark>[(),])|'(?P<text>(?:[^']|'')*+)'|(?P<word>[^\s(),']++)|(?P<end>\Z))?",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(?:$|[Tt ])")
_GUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_filter(text: str, fields: Mapping[str, Kind]) -> tuple[Term, ...]:
    """Return the conditions in *text* on *fields*, whose names match in any letter case; none if it is blank.

    :raises InvalidValue: if it is anything else, or compares a field with what is not of its kind.
    """
    return _Filter(text, fields).terms() if text.strip() else ()


def field_of(name: str, fields: Mapping[str, Any], word: str) -> str:
    """Return the one of *fields* that has *name* in any letter case, which the *word* of the query names.

    :raises InvalidValue: if none has.
    """
    for field in fields:
        if field.lower() == name.strip().lower():
            return field
    raise InvalidValue(word, f"there is no field {name.strip()[:50]!r}")


class _Filter:
    """Goes through *text* token by token."""

    def __init__(self, text: str, fields: Mapping[str, Kind]) -> None:
        self._text = text
        self._fields = fields
        self._position = 0

    def terms(self) -> tuple[Term, ...]:
        found = []
        while True:
            found.append(self._term())
            kind, word = self._next()
            if kind == "end":
                return tuple(found)
            if (kind, word.lower()) != ("word", "and"):
                raise self._wrong("'and' or the end")
            if len(found) == MAX_TERMS:
                raise InvalidValue(FILTER, f"has more than {MAX_TERMS} conditions")

    def _term(self) -> Term:
        kind, word = self._next()
        if kind != "word":
            raise self._wrong("a field or contains(")
        if word.lower() == Operator.CONTAINS.value:
            return self._contains()
        field = field_of(word, self._fields, FILTER)
        kind, word = self._next()
        if (kind, word.lower()) != ("word", Operator.EQUALS.value):
            raise self._wrong("'eq'")
        return Term(field, Operator.EQUALS, self._literal(field))

    def _contains(self) -> Term:
        self._mark("(")
        kind, word = self._next()
        if kind != "word":
            raise self._wrong("a field")
        field = field_of(word, self._fields, FILTER)
        if self._fields[field] is not Kind.TEXT:
            raise InvalidValue(FILTER, f"contains(): {field} is no text")
        self._mark(",")
        kind, word = self._next()
        if kind != "text":
            raise self._wrong("a text in single quotes")
        self._mark(")")
        return Term(field, Operator.CONTAINS, word)

    def _literal(self, field: str) -> Literal:
        kind, word = self._next()
        if kind == "word" and word.lower() == "null":
            return None
        read, told = _LITERALS[self._fields[field]]
        value = read(word, kind == "text") if kind in ("word", "text") else None
        if value is None:
            raise InvalidValue(FILTER, f"{field} is compared with {told} or null only")
        return value

    def _mark(self, mark: str) -> None:
        if self._next() != ("mark", mark):
            raise self._wrong(f"{mark!r}")

    def _next(self) -> tuple[str, str]:
        """Return the kind of the next token and what it says; an unknown one has the kind ``""``."""
        token = _TOKEN.match(self._text, self._position)
        kind = token.lastgroup if token is not None else None
        if token is None or kind is None:
            return "", ""
        self._position = token.end()
        return kind, token[kind].replace("''", "'") if kind == "text" else token[kind]

    def _wrong(self, expected: str) -> InvalidValue:
        before = self._text[: self._position].strip()
        told = f"expected {expected} at or before {before[-30:]!r}; there are only eq, and, contains(Field,'text')"
        return InvalidValue(FILTER, told)


def _text(word: str, is_quoted: bool) -> Literal:
    return word if is_quoted else None


def _number(word: str, is_quoted: bool) -> Literal:
    match = None if is_quoted else _NUMBER.fullmatch(word)
    if match is None:
        return None
    return int(word) if match[1] is None else float(word)


def _flag(word: str, is_quoted: bool) -> Literal:
    return None if is_quoted else {"true": True, "false": False}.get(word.lower())


def _moment(word: str, _is_quoted: bool) -> Literal:
    if not _DATE.match(word):  # one of the other forms that Python reads
        return None
    try:
        moment = datetime.fromisoformat(word)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _guid(word: str, _is_quoted: bool) -> Literal:
    return UUID(word) if _GUID.fullmatch(word) else None


def _nothing(_word: str, _is_quoted: bool) -> Literal:
    return None


_LITERALS: Mapping[Kind, tuple[Callable[[str, bool], Literal], str]] = {
    Kind.TEXT: (_text, "a text in single quotes"),
    Kind.NUMBER: (_number, "a number"),
    Kind.FLAG: (_flag, "true, false"),
    Kind.MOMENT: (_moment, "a date such as 2031-05-01T06:00:00Z"),
    Kind.GUID: (_guid, "a GUID"),
    Kind.OTHER: (_nothing, "nothing"),
}
