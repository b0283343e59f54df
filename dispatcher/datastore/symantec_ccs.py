"""Symantec CCS: what its clients say of a job that is not the core's to know."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Name


class CcsJob(Base):
    """A job of this dialect: the recurring job ``job_id``, and the words in which it was described.

    ``details`` are the members of its description, by their names there, as they are shown again.
    """

    __tablename__ = "symantec_ccs_job"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[Name]
    #: SHA-256 of the name in lower case: no two jobs have the same name, on any database.
    name_key: Mapped[bytes] = mapped_column(Digest, unique=True)
    job_type: Mapped[str] = mapped_column(String(40))
    details: Mapped[dict[str, Any]]
    created_by: Mapped[Name]
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]
    #: The number of the last run in the history that was deleted: it and those before it are not shown.
    hidden_runs: Mapped[int] = mapped_column(BigInteger)


CCS_JOBS: Any = CcsJob.__table__
