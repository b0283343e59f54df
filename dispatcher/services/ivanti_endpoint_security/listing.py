"""Listings: which of many things a caller wants to see, and in which order; asked of a database, or of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, false

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
    """Those that all *terms* fit, sorted, without the first *skip* ones, and *top* at most; None: all of them."""

    terms: Sequence[Term] = ()
    order_by: str = "number"
    descending: bool = False
    skip: int = 0
    top: int | None = 1_000
    ranks: Mapping[Any, int] | None = None  #: what sorts the values of ``order_by``, if not they themselves
    counts: bool = False  #: whether it is asked how many there are in all
    with_orders: bool = True  #: whether it is asked what was ordered, which may be long


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A part of a list; ``total`` is how many there are in all, if that was asked for."""

    items: Sequence[T]
    total: int | None = None
    ends_early: bool = False  #: whether more were asked for, and are there, but these are enough for one answer


def conditions(terms: Sequence[Term], columns: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return what holds of the rows that *terms* fit. Columns with texts hold what ``str.casefold`` makes of these."""
    return [_condition(term, columns[term.name]) for term in terms]


def _condition(term: Term, column: Any) -> ColumnElement[bool]:
    if term.is_part:
        fits: ColumnElement[bool] = column.contains(str(term.value).casefold(), autoescape=True)
        return fits
    found: ColumnElement[bool]
    match term.value:
        case str():
            found = column == term.value.casefold()
        case list():
            found = column.in_(term.value)
        case int() | float() if abs(term.value) >= _TOO_MUCH:
            found = false()
        case _:
            found = column == term.value
    return found


def fitting(term: Term) -> Callable[[Any], bool]:
    """Return what says whether *term* fits a value; texts are compared without regard to case."""
    wanted = term.value.casefold() if isinstance(term.value, str) else term.value
    if not isinstance(wanted, str):
        return lambda value: bool(value == wanted)
    if term.is_part:
        return lambda value: value is not None and wanted in value.casefold()
    return lambda value: value is not None and value.casefold() == wanted


def sortable(value: Any) -> tuple[bool, Any]:
    """Return what values are sorted by: what is None comes first, and texts without regard to case."""
    return value is not None, value.casefold() if isinstance(value, str) else value
