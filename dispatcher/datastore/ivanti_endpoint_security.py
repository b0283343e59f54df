"""Ivanti Endpoint Security: what only that dialect knows of jobs, and the policies of its agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Folded, KeyId, LongText, Name, Updated


class IesJob(Base):
    """The job ``job_id`` as it was ordered: a discovery (``kind`` 1), an install (2), an uninstall (3), or a
    deployment (0). Its number is the core job's.
    """

    __tablename__ = "ies_job"

    job_id: Mapped[KeyId] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(BigInteger, unique=True)  #: of the job: lists are in its order
    kind: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[Name]
    #: By what ``name`` and ``created_by`` are found: databases fold different letters, SQLite those of ASCII only.
    folded_name: Mapped[str] = mapped_column(Folded, server_default="")
    starts_at: Mapped[datetime]
    created_by: Mapped[Name]
    folded_created_by: Mapped[str] = mapped_column(Folded, server_default="")
    #: How many targets, or agents and groups, the order names: how large the document is.
    targets: Mapped[int] = mapped_column(server_default="0")
    document: Mapped[dict[str, Any]]  #: ``services.ivanti_endpoint_security.orders``, without secrets
    secrets: Mapped[str | None] = mapped_column(LongText)  #: their JSON by the names of inputs, sealed


class IesAgentPolicy(Updated, Base):
    """What users of computers may do about notices, where a deployment leaves that to the policy of the agent."""

    __tablename__ = "ies_agent_policy"

    id: Mapped[KeyId]
    name: Mapped[Name] = mapped_column(unique=True)
    #: Whose agents it is for; None: for all.
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), index=True)
    document: Mapped[dict[str, Any]]  #: ``services.ivanti_endpoint_security.policies.Policy``


IES_JOBS: Any = IesJob.__table__
IES_AGENT_POLICIES: Any = IesAgentPolicy.__table__
