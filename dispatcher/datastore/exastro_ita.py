"""Exastro IT Automation: workspaces, the menus that users define, records, and what its clients say of core objects."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from dispatcher.datastore.base import Base, Digest, KeyId, Name, Updated


class ItaWorkspace(Updated, Base):
    """A workspace of an organisation: a team with its own records. Both names are those in the paths of requests."""

    __tablename__ = "ita_workspace"
    __table_args__ = (UniqueConstraint("organization", "name"),)

    id: Mapped[KeyId]
    organization: Mapped[Name]
    name: Mapped[Name]
    team_id: Mapped[UUID] = mapped_column(ForeignKey("team.id"))


class ItaMenu(Updated, Base):
    """A parameter sheet that users have defined; ``definition`` as ``services.exastro_ita.sheets`` reads it."""

    __tablename__ = "ita_menu"

    id: Mapped[KeyId]
    name: Mapped[str] = mapped_column(String(255), unique=True)  #: its REST name
    definition: Mapped[dict[str, Any]]


class ItaRoleMenu(Updated, Base):
    """What a role may do with a menu, in one workspace: ``privilege`` 0 write and delete, 1 write, 2 read.

    Without any for a workspace that is not discarded, whoever may enter it may do everything there.
    """

    __tablename__ = "ita_role_menu"
    __table_args__ = (Index("ix_ita_role_menu_workspace_id_menu", "workspace_id", "menu"),)

    id: Mapped[KeyId]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("ita_workspace.id", ondelete="CASCADE"))
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"))
    menu: Mapped[str] = mapped_column(String(255))
    privilege: Mapped[int] = mapped_column(Integer)
    remarks: Mapped[str | None]
    is_discarded: Mapped[bool]


class ItaRecord(Updated, Base):
    """A record of a menu that no other part of the datastore keeps: of sheets, operations and host groups.

    ``values`` has the columns by their REST names, in their stored form (``services.exastro_ita.columns``). The two
    columns by which runs find their values stand beside them.
    """

    __tablename__ = "ita_record"
    __table_args__ = (
        Index("ix_ita_record_workspace_id_menu_number", "workspace_id", "menu", "number"),
        Index("ix_ita_record_operation_id_agent_id", "operation_id", "agent_id"),
    )

    id: Mapped[KeyId]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("ita_workspace.id", ondelete="CASCADE"))
    menu: Mapped[str] = mapped_column(String(255))
    number: Mapped[int] = mapped_column(BigInteger)  #: lists are in this order: from 1 on, in each menu of a workspace
    values: Mapped[dict[str, Any]]
    is_discarded: Mapped[bool]
    operation_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]


class ItaUnique(Base):
    """A value that no other live record of the menu may have; ``digest`` is SHA-256 of its text."""

    __tablename__ = "ita_unique"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("ita_workspace.id", ondelete="CASCADE"), primary_key=True)
    menu: Mapped[str] = mapped_column(String(255), primary_key=True)
    column: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[bytes] = mapped_column(Digest, primary_key=True)
    record_id: Mapped[UUID] = mapped_column(index=True)


class ItaFile(Base):
    """The file in a column of a record: its content (``datastore.resources.Content``) stays as long as this does."""

    __tablename__ = "ita_file"

    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    column: Mapped[str] = mapped_column(String(255), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(Digest, index=True)


class ItaJournal(Base):
    """What a record was after each change through this dialect."""

    __tablename__ = "ita_journal"
    __table_args__ = (Index("ix_ita_journal_record_id_at", "record_id", "at"), Index("ix_ita_journal_at", "at"))

    id: Mapped[KeyId]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("ita_workspace.id", ondelete="CASCADE"))
    menu: Mapped[str] = mapped_column(String(255))
    record_id: Mapped[UUID]
    at: Mapped[datetime]
    by: Mapped[Name]
    action: Mapped[str] = mapped_column(String(20))  #: Register, Update, Discard, Restore or Delete
    values: Mapped[dict[str, Any]]
    is_discarded: Mapped[bool]


class ItaAnswer(Base):
    """What a request was answered that came with a key (``datastore.submits``): for when it comes again."""

    __tablename__ = "ita_answer"

    id: Mapped[KeyId]
    created_at: Mapped[datetime] = mapped_column(index=True)
    document: Mapped[dict[str, Any]]


class ItaDetail(Base):
    """What only this dialect knows of a core object: of an agent, module, run book or recurring job, in one workspace.

    ``values`` as those of a record; passwords in them are sealed.
    """

    __tablename__ = "ita_detail"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("ita_workspace.id", ondelete="CASCADE"), primary_key=True)
    object_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    menu: Mapped[str] = mapped_column(String(255))
    values: Mapped[dict[str, Any]]
    is_discarded: Mapped[bool]
    changed_at: Mapped[datetime]
    changed_by: Mapped[Name]


class ItaRun(Base):
    """A conductor run: the run book job ``job_id``, for an operation, in a workspace."""

    __tablename__ = "ita_run"
    __table_args__ = (Index("ix_ita_run_workspace_id_number", "workspace_id", "number"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    #: No foreign key: MariaDB would lock the workspace, which whoever changes records has locked before any job.
    workspace_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(BigInteger)  #: that of the job
    operation_id: Mapped[UUID | None] = mapped_column(index=True)
    operation_name: Mapped[Name]
    conductor_id: Mapped[UUID]
    conductor_name: Mapped[Name]
    regular_id: Mapped[UUID | None]  #: the regular execution that it is of
    booked_for: Mapped[datetime | None]
    details: Mapped[dict[str, Any]]


ITA_RECORDS: Any = ItaRecord.__table__
ITA_UNIQUES: Any = ItaUnique.__table__
ITA_FILES: Any = ItaFile.__table__
ITA_JOURNAL: Any = ItaJournal.__table__
ITA_ANSWERS: Any = ItaAnswer.__table__
ITA_DETAILS: Any = ItaDetail.__table__
ITA_RUNS: Any = ItaRun.__table__


def owner_of_detail(workspace_id: UUID, object_id: UUID) -> UUID:
    """Return what holds on to the files (``ItaFile.record_id``) in a detail: other workspaces have others."""
    return uuid5(workspace_id, object_id.hex)


def forget_journal(session: Session, record_ids: Collection[UUID]) -> None:
    """Remove the history of records that are gone from all workspaces, with its files; at most some thousands."""
    theirs = ITA_JOURNAL.c.record_id.in_(record_ids)
    entries = select(ITA_JOURNAL.c.id).where(theirs)
    session.execute(delete(ITA_FILES).where(ITA_FILES.c.record_id.in_(entries)))
    session.execute(delete(ITA_JOURNAL).where(theirs))


def shut_by_role_alone(session: Session, role_id: UUID) -> list[str]:
    """Return the workspaces in which no other role has privileges that are not discarded, as organisation/name."""
    place, live = (ItaWorkspace.organization, ItaWorkspace.name), ItaRoleMenu.is_discarded.is_(False)
    others = select(ItaRoleMenu.workspace_id).where(live, ItaRoleMenu.role_id != role_id)
    own = select(ItaRoleMenu.workspace_id).where(live, ItaRoleMenu.role_id == role_id)
    found = session.execute(select(*place).where(ItaWorkspace.id.in_(own), ItaWorkspace.id.not_in(others)))
    return sorted(f"{organization}/{name}" for organization, name in found.tuples())
