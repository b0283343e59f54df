"""OpsRamp: what only that dialect knows of jobs, of folders of modules, of modules and of agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId, Name, Number


class OpsRampJob(Base):
    """The recurring job ``job_id`` as it was ordered. ``team_id`` is the tenant that it belongs to.

    One that was removed stays as long as the recurring job, for the sake of what its scripts wrote.
    """

    __tablename__ = "opsramp_job"

    job_id: Mapped[KeyId] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    team_id: Mapped[UUID] = mapped_column(index=True)
    name: Mapped[Name]
    job_type: Mapped[str] = mapped_column(String(100))
    is_removed: Mapped[bool]
    document: Mapped[dict[str, Any]]  #: ``services.opsramp.orders.Order``


class OpsRampJobScript(Base):
    """Which script the occurrences of a job run: the module ``script_id`` from that one on that comes ``after`` the one
    with this number, and up to the number ``until`` if it is another one's turn since.
    """

    __tablename__ = "opsramp_job_script"

    job_id: Mapped[KeyId] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    after: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    until: Mapped[int | None] = mapped_column(BigInteger)
    script_id: Mapped[UUID] = mapped_column(index=True)


class OpsRampCategory(Base):
    """The number by which a folder of modules is known as a category; that of no folder is the root's."""

    __tablename__ = "opsramp_category"

    number: Mapped[Number]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"), unique=True)
    is_hidden: Mapped[bool]  #: until something is in it: it was renamed or removed


class OpsRampScript(Base):
    """What only OpsRamp knows of a module that was made by it: ``services.opsramp.scripts.Extras``."""

    __tablename__ = "opsramp_script"

    module_id: Mapped[KeyId] = mapped_column(ForeignKey("module.id", ondelete="CASCADE"))
    document: Mapped[dict[str, Any]]


class OpsRampResource(Base):
    """What was said of an agent when it was made as a resource, and agents do not have: ``{member: value}``."""

    __tablename__ = "opsramp_resource"

    agent_id: Mapped[KeyId] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"))
    document: Mapped[dict[str, Any]]
