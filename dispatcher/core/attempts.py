"""Attempts: what a database ended for the sake of another transaction is done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dispatcher.core.errors import Deadlock

T = TypeVar("T")

#: How often something is tried: MariaDB locks more than it is asked to, and may end the same one several times.
ATTEMPTS = 5


def again(work: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Return what *work* returns; it is done again if it met a deadlock, so it is one transaction, or may be repeated.

    :raises Deadlock: if it met one in each of the *attempts*.
    """
    for _ in range(attempts - 1):
        try:
            return work()
        except Deadlock:
            continue
    return work()
