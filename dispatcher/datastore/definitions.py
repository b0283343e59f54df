"""Definitions: every version of a module, project or run book, frozen, with all that it contains."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from dispatcher.datastore.base import Base, KeyId, Small


class Definition(Base):
    """One version: a job runs the definition it was scheduled with.

    ``document`` is what ``core.definitions`` describes; values of secret parameters in it are encrypted. What it says
    never changes: only what earlier versions stored in the clear is encrypted, once (``services.library.clear_texts``).
    """

    __tablename__ = "definition"
    __table_args__ = (UniqueConstraint("kind", "object_id", "version"),)

    id: Mapped[KeyId]
    kind: Mapped[Small]
    object_id: Mapped[UUID]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
