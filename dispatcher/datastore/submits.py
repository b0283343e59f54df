"""Submits: the keys that callers gave with what they asked for, so that asking again does nothing twice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Name


class Submit(Base):
    """A key that a login gave for an operation; ``body`` is the SHA-256 of what was asked for."""

    __tablename__ = "submit"

    login: Mapped[Name] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body: Mapped[bytes] = mapped_column(Digest)
    job_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(index=True)
