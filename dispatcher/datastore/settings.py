"""Settings that may change at run time, and the aliases by which dialects know objects."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base


class Setting(Base):
    """A setting of the environment (``dispatcher`` empty) or of one dispatcher."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    dispatcher: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[str]


class Alias(Base):
    """The id by which a dialect knows an object, where it is not the default one."""

    __tablename__ = "alias"

    dialect: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    object_id: Mapped[UUID] = mapped_column(index=True)
