"""Submits: the keys that callers gave with what they asked for, so that asking again does nothing twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Name


class Submit(Base):
    """A key that a login gave for an operation. ``key`` and ``body`` are SHA-256: of the key, and of what was asked.

    A digest of the key is compared alike on every database, whatever letters, blanks and length the key has.
    """

    __tablename__ = "submit"

    login: Mapped[Name] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[bytes] = mapped_column(Digest, primary_key=True)
    body: Mapped[bytes] = mapped_column(Digest)
    job_id: Mapped[UUID]  #: of the job, or what else was made; until it is there: a number that says whose turn it is
    created_at: Mapped[datetime] = mapped_column(index=True)


SUBMITS: Any = Submit.__table__
