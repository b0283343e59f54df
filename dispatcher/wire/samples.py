"""Samples: made-up values of declared types, shown on help pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispatcher.wire.types import Kind, item_of, kind_of, members_of, new

#: What WCF's own help pages show for each type.
_DEFAULTS: Mapping[Kind, object] = {
    Kind.TEXT: "String content",
    Kind.FLAG: True,
    Kind.NUMBER: 2147483647,
    Kind.LONG: 9223372036854775807,
    Kind.MOMENT: datetime(1999, 5, 31, 11, 20, tzinfo=UTC),
    Kind.BYTES: b"String content",
}


class Samples:
    """Makes sample values.

    *known* gives values that make sense to the service, by ``Type.Member``, just ``Member`` or whatever a message as a
    whole is called, so that an example can be sent as it stands; all others are WCF's.
    """

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known

    def of(self, declared: Any, called: str = "") -> Any:
        """Return the value that is known as *called*, else a sample of the type *declared*.

        Of lists it has one item, of enumerations the first member.
        """
        return self._known[called] if called in self._known else self._sample(declared, ())

    def text(self, called: str) -> str:
        """Return the text that is known as *called*; empty if there is none."""
        return str(self._known.get(called, ""))

    def _sample(self, declared: Any, inside: tuple[Any, ...]) -> Any:
        kind = kind_of(declared)
        if kind is Kind.ENUM:
            return next(iter(declared.members.values()))
        if kind is Kind.ARRAY:
            _, item = item_of(declared)
            return [] if item in inside else [self._sample(item, inside)]
        if kind is Kind.RECORD:
            return self._record(declared, (*inside, declared))
        return _DEFAULTS[kind]

    def _record(self, declared: Any, inside: tuple[Any, ...]) -> Any:
        """Return a sample of *declared*; a type that is *inside* already ends there."""
        values = {}
        for member, kind in members_of(declared).items():
            known = next((key for key in (f"{declared.get_type_name()}.{member}", member) if key in self._known), None)
            values[member] = self._known[known] if known else None if kind in inside else self._sample(kind, inside)
        return new(declared, **values)
