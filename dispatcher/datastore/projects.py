"""Projects: ordered modules whose parameters may be linked to the project's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dispatcher.datastore.base import Base, Id, KeyId, Name, Number, Updated


class Project(Updated, Base):
    """A project. Its name is unique in its folder."""

    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    number: Mapped[Number]
    id: Mapped[Id]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[Name]
    description: Mapped[str]
    enabled: Mapped[bool]
    version: Mapped[int]
    modules: Mapped[list[ProjectModule]] = relationship(order_by="ProjectModule.position", cascade="all, delete-orphan")


class ProjectModule(Base):
    """One module of a project, with the values (or ``$[links]``) for its parameters."""

    __tablename__ = "project_module"
    __table_args__ = (UniqueConstraint("project_id", "position"),)

    id: Mapped[KeyId]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    position: Mapped[int]
    module_id: Mapped[UUID] = mapped_column(ForeignKey("module.id"), index=True)
    parameters: Mapped[dict[str, Any]]
    get: Mapped[dict[str, Any] | None]  #: which of the project's parameters takes each output: ``{inner: outer}``
    condition: Mapped[dict[str, Any] | None]  #: as that of a task
