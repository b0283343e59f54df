"""Queries: pages of lists, sorted and filtered as OpsRamp's searches ask for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

#: The longest page.
MAX_PAGE_SIZE = 1_000
#: How many values a search may look for at once; the others are one value that nothing has.
MOST_CHOICES = 100
#: How a search says that what it gives is the whole of a value, and no part of it.
_EXACT = "isequals"
#: What joins two parts of a query string.
_JOINT = re.compile(r"\+| (?=[A-Za-z]\w{0,50}:)")

T = TypeVar("T")
Fields = Mapping[str, Callable[[T], str]]


@dataclass(frozen=True, slots=True)
class Query:
    """Which page of what. ``filters`` are by name; a value with commas means any of its parts."""

    page: int = 1
    page_size: int = 100
    descending: bool = True
    sort: str = "id"
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether what is looked for is the whole of a value, and no part of it."""
        return self.filters.get(_EXACT, "").lower() == "true"

    def is_flag(self, name: str) -> bool:
        """Whether the filter *name* only says how the others are meant."""
        return name == _EXACT

    def fits(self, one: T, fields: Fields[T], anything: Collection[str] = ()) -> bool:
        """Whether *one* has what the filters say, in any letter case; *anything* is what everything has.

        What is looked for by something that *fields* does not have is not found.
        """
        for name, text in self.filters.items():
            if self.is_flag(name):
                continue
            read = fields.get(name)
            if read is None or not _fits(read(one).casefold(), text.casefold(), self.is_exact, anything):
                return False
        return True


@dataclass(frozen=True, slots=True)
class SortedPage(Generic[T]):
    """One page of a list. ``sort`` and ``descending`` are how it is really sorted."""

    items: Sequence[T]
    total: int
    page: int
    page_size: int
    sort: str
    descending: bool

    @property
    def page_count(self) -> int:
        """How many pages there are; none for an empty list."""
        return -(-self.total // self.page_size)


def paged(found: Sequence[T], query: Query, fields: Fields[T], sort: str = "id") -> SortedPage[T]:
    """Return the page of *found* that *query* asks for, sorted by its field, else by *sort*; then by id."""
    name = query.sort.casefold() if query.sort.casefold() in fields else sort
    ordered = sorted(found, key=lambda one: (fields[name](one).casefold(), fields["id"](one)), reverse=query.descending)
    start = (query.page - 1) * query.page_size
    items = ordered[start : start + query.page_size]
    shown = query.sort if name != sort else sort
    return SortedPage(items, len(found), query.page, query.page_size, shown, query.descending)


def parse_filters(text: str) -> dict[str, str]:
    """Return what the query string *text* looks for: ``name:value``, joined by ``+``; a bare text is a name.

    A blank joins as well, if a name comes after it: that is what a ``+`` in an address becomes. Names are in lower
    case; of equal ones the last counts.
    """
    filters = {}
    for part in _JOINT.split(text):
        name, colon, value = part.partition(":")
        if part.strip():
            filters[name.strip().casefold() if colon else "name"] = (value if colon else part).strip()
    return filters


def _fits(value: str, text: str, exact: bool, anything: Collection[str]) -> bool:
    choices = [part.strip() for part in text.split(",", MOST_CHOICES)]
    return any(choice in anything or (value == choice if exact else choice in value) for choice in choices)
