"""Portions: values that one statement names, where there may be more of them than a database takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

#: How many values one statement names at most: SQLite takes 32,766 of them.
AT_ONCE = 10_000


def portions(values: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """Give *values* in order, at most *size* at a time; nothing if there are none."""
    rest = iter(values)
    while portion := list(islice(rest, size)):
        yield portion
