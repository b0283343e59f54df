"""Schedules: when recurring jobs occur, and the ledger of what became of every due time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId, Small, partial_index


class Schedule(Base):
    """When the recurring job ``job_id`` occurs. ``rule`` is RFC 5545 text (``core.recurrence``)."""

    __tablename__ = "schedule"
    __table_args__ = (partial_index("ix_schedule_paused_until", "paused_until"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id"), primary_key=True)
    rule: Mapped[str]
    gap: Mapped[str] = mapped_column(String(10))  #: what a local time that does not exist gives
    fold: Mapped[str] = mapped_column(String(10))  #: what a local time that exists twice gives
    misfire: Mapped[str] = mapped_column(String(10))  #: skip, once or all
    misfire_window_s: Mapped[int]
    overlap: Mapped[str] = mapped_column(String(10))  #: allow, skip, queue or cancel
    paused_until: Mapped[datetime | None]
    last_due_at: Mapped[datetime | None]  #: the latest due time in the ledger


class Occurrence(Base):
    """A due time of a schedule, and what became of it: one row each, whatever happens."""

    __tablename__ = "occurrence"
    __table_args__ = (partial_index("ix_occurrence_held_since", "held_since"),)

    schedule_id: Mapped[KeyId] = mapped_column(ForeignKey("schedule.job_id"))
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    outcome: Mapped[Small]  #: ``core.schedules.Outcome``
    reason: Mapped[str]
    job_id: Mapped[UUID | None]  #: the job it became; jobs may be cleaned away before the ledger
    noted_at: Mapped[datetime]
    held_since: Mapped[datetime | None]  #: while it waits for the occurrence before it


SCHEDULES: Any = Schedule.__table__
OCCURRENCES: Any = Occurrence.__table__
