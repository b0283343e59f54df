"""Scalars: single values read from text as leniently as real clients need (contract section 1.2 and 1.6)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cache
from typing import Any, TypeVar

from dispatcher.core.errors import InvalidValue
from dispatcher.wire.dates import parse_moment
from dispatcher.wire.types import Kind, kind_of

#: Reads a value from its text; a date without a zone is in the zone given. An empty text is a missing value.
ReadText = Callable[[str, tzinfo], Any]
_Given = TypeVar("_Given")

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": None}
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


class WrongValue(Exception):
    """A value that cannot be read; collects its path on the way out of the message."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def inside(self, step: str) -> WrongValue:
        """Return itself, with *step* put in front of the path."""
        self.path.append(step)
        return self

    def named(self) -> InvalidValue:
        """Return the error that names the member: ``job/What[0]/ID``."""
        return InvalidValue("/".join(reversed(self.path)).replace("/[", "[") or "message", self.problem)


def passing_over(read: Callable[[_Given, tzinfo], Any]) -> Callable[[_Given, tzinfo], Any]:
    """Return *read*, with None for what it cannot read."""

    def read_or_pass(given: _Given, zone: tzinfo) -> Any:
        try:
            return read(given, zone)
        except WrongValue:
            return None

    return read_or_pass


def shown(value: object) -> str:
    """Return *value* as an error may quote it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "…"


def read_flag(text: str, _zone: tzinfo | None = None) -> bool | None:
    """Read true, false, 1 or 0 in any case."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise WrongValue(f"{shown(text)} is neither true nor false") from None


def read_number(text: str, _zone: tzinfo | None = None) -> int | None:
    """Read a 32-bit integer."""
    return _read_integer(text, 32)


def read_long(text: str, _zone: tzinfo | None = None) -> int | None:
    """Read a 64-bit integer."""
    return _read_integer(text, 64)


def _read_integer(text: str, bits: int) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise WrongValue(f"{shown(text)} is no integer")
    if not -(1 << (bits - 1)) <= int(text) < 1 << (bits - 1):
        raise WrongValue(f"the integer does not fit into {bits} bits")
    return int(text)


def read_moment(text: str, zone: tzinfo) -> datetime | None:
    """Read a date in any form that ``dates`` knows."""
    try:
        return parse_moment(text, zone)
    except ValueError:
        raise WrongValue(f"{shown(text)} is no date") from None


def read_bytes(text: str, _zone: tzinfo | None = None) -> bytes:
    """Read base64, with or without line breaks."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise WrongValue("the value is not base64") from None


def read_text(text: str, _zone: tzinfo | None = None) -> str:
    """Return the text itself; one with a NUL is refused: neither XML nor every database can hold it."""
    if "\0" in text:
        raise WrongValue("a text may not hold a NUL character")
    return text


def enum_reader(members: Mapping[str, int]) -> ReadText:
    """Return the reader of an enumeration: a member's name in any case, or its number."""
    values: dict[str, int | None] = {"": None}
    for name, number in members.items():
        values[name] = values[name.lower()] = values[str(number)] = number

    def read_enum(text: str, _zone: tzinfo | None = None) -> int | None:
        try:
            return values[text if text in values else text.strip().lower()]
        except KeyError:
            raise WrongValue(f"{shown(text)} is none of {', '.join(members)}") from None

    return read_enum


_READERS: dict[Kind, ReadText] = {
    Kind.TEXT: read_text,
    Kind.FLAG: read_flag,
    Kind.NUMBER: read_number,
    Kind.LONG: read_long,
    Kind.MOMENT: read_moment,
    Kind.BYTES: read_bytes,
}


@cache
def text_reader(spyne_type: Any) -> ReadText:
    """Return the reader of *spyne_type*, a simple type."""
    kind = kind_of(spyne_type)
    return enum_reader(spyne_type.members) if kind is Kind.ENUM else _READERS[kind]
