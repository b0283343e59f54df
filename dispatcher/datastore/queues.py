"""Queues: runs that are done one after another on their resource."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base


class QueuedRun(Base):
    """A run of the queue of the agent with the number ``resource``; of one that has ended the row is soon gone."""

    __tablename__ = "queued_run"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    resource: Mapped[int] = mapped_column(BigInteger, index=True)


QUEUED: Any = QueuedRun.__table__
