"""Run books: ordered steps, each running something on someone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dispatcher.datastore.base import Base, Id, KeyId, Name, Number, Small, Updated


class RunBook(Updated, Base):
    """A run book. Its name is unique in its folder."""

    __tablename__ = "runbook"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    number: Mapped[Number]
    id: Mapped[Id]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[Name]
    description: Mapped[str]
    enabled: Mapped[bool]
    version: Mapped[int]
    steps: Mapped[list[RunBookStep]] = relationship(order_by="RunBookStep.position", cascade="all, delete-orphan")


class RunBookStep(Base):
    """One step: a module, project or run book (``what_kind``, ``what_id``) on ``who``.

    ``who`` lists ``{"agent": id}``, ``{"team": id}``, ``{"parameter": name}`` or ``{"ask": true}``.
    """

    __tablename__ = "runbook_step"
    __table_args__ = (UniqueConstraint("runbook_id", "position"),)

    id: Mapped[KeyId]
    runbook_id: Mapped[UUID] = mapped_column(ForeignKey("runbook.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[Name]
    what_kind: Mapped[Small]
    what_id: Mapped[UUID] = mapped_column(index=True)
    who: Mapped[list[Any]]
    on_error: Mapped[str] = mapped_column(String(10))  #: stop or continue
    parameters: Mapped[dict[str, Any]]
    get: Mapped[dict[str, Any] | None]  #: which of the run book's parameters takes each output: ``{inner: outer}``
    condition: Mapped[dict[str, Any] | None]  #: as that of a task
    options: Mapped[dict[str, Any] | None]  #: what few steps have, see ``core.definitions.StepDocument``
