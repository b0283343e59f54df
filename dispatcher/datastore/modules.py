"""Modules: ordered tasks with parameters."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dispatcher.datastore.base import Base, Id, KeyId, Name, Number, Updated


class Module(Updated, Base):
    """A module. Its name is unique in its folder."""

    __tablename__ = "module"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    number: Mapped[Number]
    id: Mapped[Id]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[Name]
    description: Mapped[str]
    enabled: Mapped[bool]
    platforms: Mapped[list[Any]]  #: LINUX, WINDOWS, MACOS; empty means all
    version: Mapped[int]
    tasks: Mapped[list[Task]] = relationship(order_by="Task.position", cascade="all, delete-orphan")


class Task(Base):
    """One task of a module."""

    __tablename__ = "task"
    __table_args__ = (UniqueConstraint("module_id", "position"),)

    id: Mapped[KeyId]
    module_id: Mapped[UUID] = mapped_column(ForeignKey("module.id", ondelete="CASCADE"))
    position: Mapped[int]
    type: Mapped[str] = mapped_column(String(50))
    name: Mapped[Name]
    settings: Mapped[dict[str, Any]]
    timeout_s: Mapped[float | None]
    on_error: Mapped[str] = mapped_column(String(10))  #: stop or continue
    repeatable: Mapped[bool]
    condition: Mapped[dict[str, Any] | None]  #: ``{"if", "else"}``, see ``core.conditions``
    retry: Mapped[dict[str, Any] | None]  #: ``{"times", "delay_s", "factor", "max_delay_s"}``
    enabled: Mapped[bool]
