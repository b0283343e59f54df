"""Ids: their texts, and ids from texts, of the same few agents and definitions again and again."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

#: How many are remembered in either direction.
KEPT = 10_000


@lru_cache(maxsize=KEPT)
def id_of(text: str) -> UUID:
    """Return the id that *text* is, as something stored has it.

    :raises ValueError: if it is none.
    """
    return UUID(text)


@lru_cache(maxsize=KEPT)
def text_of(key: UUID) -> str:
    """Return *key* as it is stored in documents."""
    return str(key)
