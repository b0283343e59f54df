"""Parameters of modules, projects and run books."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from dispatcher.datastore.base import Base, Id, Name, Number, Small


class Parameter(Base):
    """A declared parameter with its default. Values of secret types are encrypted."""

    __tablename__ = "parameter"
    __table_args__ = (UniqueConstraint("owner_kind", "owner_id", "position"),)

    number: Mapped[Number]
    id: Mapped[Id]
    owner_kind: Mapped[Small]
    owner_id: Mapped[UUID]
    position: Mapped[int]
    name: Mapped[Name]
    type: Mapped[Small]
    value1: Mapped[str]
    value2: Mapped[str]
    value3: Mapped[str]
    description: Mapped[str]
    hint: Mapped[str]
    is_input: Mapped[bool]
    is_output: Mapped[bool]
