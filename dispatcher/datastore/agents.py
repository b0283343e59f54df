"""Agents: computers that run work."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Id, Name, Number, Updated


class Agent(Updated, Base):
    """An agent. Names may repeat. One that never enrolled has no ``enrolled_at`` and no secret."""

    __tablename__ = "agent"

    number: Mapped[Number]
    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), index=True)
    online: Mapped[bool]  #: as last heard; trust it only while ``last_contact`` is fresh
    last_contact: Mapped[datetime | None]
    enrolled_at: Mapped[datetime | None]
    secret_hash: Mapped[bytes | None] = mapped_column(Digest)  #: SHA-256 of a 256-bit random secret
    licensed: Mapped[bool]
    primary_team_id: Mapped[UUID | None] = mapped_column(ForeignKey("team.id"))
    os: Mapped[str] = mapped_column(String(32))
    os_version: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(64))
    macs: Mapped[list[Any]]
    facts: Mapped[dict[str, Any]]
    version: Mapped[str] = mapped_column(String(64))
    hostname: Mapped[Name]
