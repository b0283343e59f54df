"""Listings: which of many things a caller wants to see, and in which order, as a database is asked for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, false, func

#: What no column can hold, and no driver sends.
_TOO_MUCH = 1 << 63
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Term:
    """That the member *name* is *value*, or one of several; or, if it is a *part*, that it has that in any case."""

    name: str
    value: Any
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Those that all *terms* fit, sorted, without the first *skip* ones, and *top* at most."""

    terms: Sequence[Term] = ()
    order_by: str = "number"
    descending: bool = False
    skip: int = 0
    top: int = 1_000
    counts: bool = False  #: whether it is asked how many there are in all


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A part of a list; ``total`` is how many there are in all, if that was asked for."""

    items: Sequence[T]
    total: int | None = None


def conditions(terms: Sequence[Term], columns: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return what holds of the rows that *terms* fit."""
    return [_condition(term, columns[term.name]) for term in terms]


def _condition(term: Term, column: Any) -> ColumnElement[bool]:
    if term.is_part:
        fits: ColumnElement[bool] = func.lower(column).contains(str(term.value).lower(), autoescape=True)
        return fits
    found: ColumnElement[bool]
    match term.value:
        case str():
            found = func.lower(column) == term.value.lower()
        case list():
            found = column.in_(term.value)
        case int() | float() if abs(term.value) >= _TOO_MUCH:
            found = false()
        case _:
            found = column == term.value
    return found
