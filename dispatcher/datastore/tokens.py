"""Tokens: secrets that stand for a permission until they expire; stored hashed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, KeyId


class Token(Base):
    """A token. ``kind`` is ``enrol``; ``once`` ones are spent by their first use."""

    __tablename__ = "token"

    id: Mapped[KeyId]
    kind: Mapped[str] = mapped_column(String(20))
    hash: Mapped[bytes] = mapped_column(Digest, unique=True)
    once: Mapped[bool]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
