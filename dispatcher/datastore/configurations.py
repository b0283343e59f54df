"""Configurations: versions of the texts that tell computers what to do, such as those of switches.

The texts are stored in parts, encrypted: they hold secrets, and no database takes a row of any size.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, KeyId, LongBinary


class Configuration(Base):
    """A version of a configuration of an agent, never changed but for ``seen_at``. Its text is in parts."""

    __tablename__ = "configuration"
    __table_args__ = (Index("ix_configuration_agent_id_name_id", "agent_id", "name", "id"),)

    id: Mapped[KeyId]
    agent_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[bytes] = mapped_column(Digest)  #: of the text
    compared: Mapped[bytes] = mapped_column(Digest)  #: the SHA-256 of what counts when versions are compared
    size: Mapped[int] = mapped_column(BigInteger)  #: of the text
    taken_at: Mapped[datetime]
    seen_at: Mapped[datetime]  #: when it was last found as it is
    job_id: Mapped[UUID]  #: that took it; it may have been cleaned away


class ConfigurationPart(Base):
    """A part of the text of a version, encrypted; ``offset`` is that of the clear text."""

    __tablename__ = "configuration_part"

    configuration_id: Mapped[UUID] = mapped_column(ForeignKey("configuration.id", ondelete="CASCADE"), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LongBinary)


class FetchedPart(Base):
    """A part of a text that a task has fetched, encrypted, until its run ends; under the fence of its lease."""

    __tablename__ = "fetched_part"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    fence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LongBinary)


CONFIGURATIONS: Any = Configuration.__table__
CONFIGURATION_PARTS: Any = ConfigurationPart.__table__
FETCHED_PARTS: Any = FetchedPart.__table__
