"""Naming: names by which something is found whatever the case of letters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, validates

from dispatcher.core.spelling import name_key

#: A key may be longer than its name; the index holds what of it fits.
KEY_CHARS = 255


def stored_key(name: str) -> str:
    """Return what ``name_key`` holds for *name*: others may have the same."""
    return name_key(name)[:KEY_CHARS]


def _of_new(context: Any) -> str:
    return stored_key(context.get_current_parameters()["name"])


class FoundByName:
    """The column by which a row is found by its ``name``. It follows that by itself."""

    name_key: Mapped[str] = mapped_column(String(KEY_CHARS), default=_of_new, server_default="", index=True)

    @validates("name")
    def _note_key(self, _member: str, name: str) -> str:
        self.name_key = stored_key(name)
        return name
