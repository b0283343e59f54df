"""Runs: one job on one agent, the results of its tasks, and what they wrote."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, bindparam, text, update
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.core.states import State
from dispatcher.datastore.base import Base, KeyId, Small, partial_index

_FOR_ANOTHER = text("device > 0")


class Run(Base):
    """A run. ``fence`` grows with every lease: news that carries an older number changes nothing.

    ``agent_id`` is who works. That may be for another, the ``device``, which has no agent software of its own.
    """

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_job_id_agent_id_device", "job_id", "agent_id", "device", unique=True),
        Index("ix_run_device", "device", sqlite_where=_FOR_ANOTHER, postgresql_where=_FOR_ANOTHER),
        Index("ix_run_agent_id_state_id", "agent_id", "state", "id"),
        partial_index("ix_run_leased_until", "leased_until"),
        partial_index("ix_run_agent_id_leased_until", "agent_id", "leased_until", of="leased_until"),
        partial_index("ix_run_due_at", "due_at"),
    )

    id: Mapped[KeyId]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    state: Mapped[Small]
    reason: Mapped[str]
    attempt: Mapped[int]
    fence: Mapped[int]
    leased_until: Mapped[datetime | None]
    begun: Mapped[bool]  #: the agent has recorded the start of a task
    position: Mapped[int | None]  #: the task it is at
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    hold: Mapped[int | None] = mapped_column(SmallInteger)  #: why no agent may fetch it yet (``core.holds.Hold``)
    due_at: Mapped[datetime | None]  #: when a hold ends by itself
    outputs: Mapped[list[Any] | None]  #: what it gave out, as ``Job.outputs``
    #: The number of the agent that it is for, if that is not the one who works; else 0.
    device: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class TaskResult(Base):
    """One task of a run, from its start on."""

    __tablename__ = "task_result"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[Small]
    exit_code: Mapped[int | None] = mapped_column(BigInteger)
    message: Mapped[str]
    killed: Mapped[list[Any]]
    outputs: Mapped[dict[str, Any]]
    output_bytes: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=1, server_default="1")  #: how often it was tried
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]


class OutputChunk(Base):
    """Bytes that a task wrote, at their offset. Chunks never overlap and are never changed."""

    __tablename__ = "output_chunk"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes]


RUNS: Any = Run.__table__
TASK_RESULTS: Any = TaskResult.__table__
CHUNKS: Any = OutputChunk.__table__
#: Runs that their agents may fetch.
FETCHABLE = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None) & RUNS.c.hold.is_(None)
#: Sets the columns that are named beside ``key``, the run's id.
SET_RUN = update(RUNS).where(RUNS.c.id == bindparam("key"))
