"""Audit entries: who has changed what, and what it was before."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Name, Number


class AuditEntry(Base):
    """A change by a person or client. ``old`` and ``new`` hold only what has changed; neither holds a secret.

    Nothing refers to another table: an entry outlives what it tells of.
    """

    __tablename__ = "audit_entry"

    number: Mapped[Number]
    at: Mapped[datetime] = mapped_column(index=True)
    login: Mapped[str] = mapped_column(String(255), index=True)
    address: Mapped[str] = mapped_column(String(64))  #: where the caller was; empty: at the command line
    action: Mapped[str] = mapped_column(String(40))
    object_kind: Mapped[str] = mapped_column(String(20))
    object_id: Mapped[UUID | None] = mapped_column(index=True)  #: None for what has only a name
    object_name: Mapped[Name]
    old: Mapped[dict[str, Any] | None]
    new: Mapped[dict[str, Any] | None]


AUDIT: Any = AuditEntry.__table__
