"""Terms: the conditions that searches of this dialect are made of, and what fits them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Operator(Enum):
    """How a value is compared; the vendor's words."""

    EQUALS = "="
    CONTAINS = "Contains"
    STARTS_WITH = "StartsWith"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``attribute`` is in lower case; ``*`` in ``value`` stands for anything."""

    attribute: str
    operator: Operator
    value: str

    def fits(self, text: str) -> bool:
        """Whether *text*, the value of the attribute, fits, without regard to case; in a time linear in both."""
        parts = self.value.casefold().split("*")
        if self.operator is Operator.CONTAINS:
            parts = ["", *parts, ""]
        elif self.operator is Operator.STARTS_WITH:
            parts = [*parts, ""]
        return _fits(parts, text.casefold())


def fit(terms: Iterable[Term], attributes: Mapping[str, Iterable[str]]) -> bool:
    """Whether every one of *terms* fits a value that *attributes*, by names in lower case, has for it."""
    return all(any(term.fits(value) for value in attributes.get(term.attribute, ())) for term in terms)


def _fits(parts: list[str], text: str) -> bool:
    """Whether *text* is made of *parts* in order with anything between them: each is taken where it comes first."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True
