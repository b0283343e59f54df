"""Agents: computers that run work."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Id, LongText, Name, Number, Updated, partial_index
from dispatcher.datastore.naming import FoundByName


class Agent(FoundByName, Updated, Base):
    """An agent. Names may repeat. One that never enrolled has no ``enrolled_at`` and no secret.

    One that was removed is kept for the sake of its runs, with ``removed_at``: whoever lists agents leaves it out.
    """

    __tablename__ = "agent"
    __table_args__ = (partial_index("ix_agent_removed_at", "removed_at"),)

    number: Mapped[Number]
    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), index=True)
    online: Mapped[bool] = mapped_column(default=False)  #: as last heard; trust it only while ``last_contact`` is fresh
    last_contact: Mapped[datetime | None]
    enrolled_at: Mapped[datetime | None]
    secret_hash: Mapped[bytes | None] = mapped_column(Digest)  #: SHA-256 of a 256-bit random secret
    licensed: Mapped[bool] = mapped_column(default=True)
    primary_team_id: Mapped[UUID | None] = mapped_column(ForeignKey("team.id"))
    #: The agent that works for it if it has none of its own, where that is not left to its team; perhaps a removed one.
    gateway_id: Mapped[UUID | None]
    os: Mapped[str] = mapped_column(String(32), default="")
    os_version: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    macs: Mapped[list[Any]] = mapped_column(default=list)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    version: Mapped[str] = mapped_column(String(64), default="")
    hostname: Mapped[Name] = mapped_column(default="")
    #: Its IANA time zone, as it says; empty if it does not know.
    time_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    #: Which start of its computer it was last heard after; empty before the first.
    boot_id: Mapped[str] = mapped_column(String(64), default="", server_default="")
    #: When work may start on it (``core.windows``); None: as its primary team says.
    launch_window: Mapped[str | None] = mapped_column(LongText)
    #: Who is at its console, who was the last there, and since or until when (``core.console``).
    console_user: Mapped[str] = mapped_column(String(255), default="", server_default="")
    last_console_user: Mapped[str] = mapped_column(String(255), default="", server_default="")
    console_user_at: Mapped[datetime | None]
    #: By what the last one is found, whatever the case of letters and the domain.
    console_key: Mapped[str] = mapped_column(String(255), default="", server_default="", index=True)
    removed_at: Mapped[datetime | None]
    #: Since when its runs are to go as well; they go little by little.
    history_removed_at: Mapped[datetime | None]


AGENTS: Any = Agent.__table__
#: Those that runs are for, where another agent works for them (``Run.device``, ``datastore.targets``).
DEVICES: Any = AGENTS.alias("device")
