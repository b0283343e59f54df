"""Found computers: what discoveries have found, one row for each computer, and the agents that are gone from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, KeyId, LongText, Name


class FoundComputer(Base):
    """A computer as it was when it was found last."""

    __tablename__ = "found_computer"

    id: Mapped[KeyId]
    #: SHA-256 of what tells it from others: no two rows are the same computer, on any database.
    identity: Mapped[bytes] = mapped_column(Digest, unique=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[Name]
    dns_name: Mapped[Name]
    netbios_name: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(32), index=True)
    os: Mapped[str] = mapped_column(String(32))
    description: Mapped[str] = mapped_column(LongText)
    ports: Mapped[list[Any]]
    ways: Mapped[list[Any]]
    first_found_at: Mapped[datetime]
    found_at: Mapped[datetime]
    job_id: Mapped[UUID | None]  #: the job that has found it last; perhaps a removed one
    #: The agent that is known to be on it, perhaps a removed one; None: nobody has looked.
    agent_id: Mapped[UUID | None] = mapped_column(index=True)


class GoneAgent(Base):
    """An agent that was taken away from its computer and whose entry is still to go."""

    __tablename__ = "gone_agent"

    agent_id: Mapped[KeyId]
    is_replaced: Mapped[bool]  #: by another one: its history goes, too
    told_at: Mapped[datetime]


FOUND_COMPUTERS: Any = FoundComputer.__table__
GONE_AGENTS: Any = GoneAgent.__table__
