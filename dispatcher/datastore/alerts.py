"""Alerts: what somebody should look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId


class Alert(Base):
    """An alert. ``kind`` is a stable word, ``message`` is for people and holds no secret."""

    __tablename__ = "alert"

    id: Mapped[KeyId]
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(40))
    message: Mapped[str]
    agent_id: Mapped[UUID | None] = mapped_column(index=True)
    job_id: Mapped[UUID | None]


ALERTS: Any = Alert.__table__
