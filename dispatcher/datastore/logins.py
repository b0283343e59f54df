"""Logins, their roles, and the rights that roles grant."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId, Name, Small, Updated


class Login(Updated, Base):
    """A login. ``name_key`` is its case-folded name. Only kind ``dispatcher`` with a password can authenticate."""

    __tablename__ = "login"

    id: Mapped[KeyId]
    name: Mapped[Name]
    name_key: Mapped[str] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(20))  #: dispatcher, or windows (never authenticates here)
    password_hash: Mapped[str | None]
    language: Mapped[str] = mapped_column(String(2))
    enabled: Mapped[bool]
    first_login_pending: Mapped[bool]


class Role(Updated, Base):
    """A role. Built-in ones cannot be changed."""

    __tablename__ = "role"

    id: Mapped[KeyId]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    built_in: Mapped[bool]


class LoginRole(Base):
    """A role of a login."""

    __tablename__ = "login_role"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"), primary_key=True)


#: What a grant on a whole node has as its target.
WHOLE_NODE = UUID(int=0)


class Grant(Base):
    """A right of a role on a node (``core.permissions.Node`` by its value), or on something below it.

    ``target`` is the id of a folder or of an object of that node. No grant on something: it inherits.
    """

    __tablename__ = "grant"

    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"), primary_key=True)
    node: Mapped[str] = mapped_column(String(60), primary_key=True)
    target: Mapped[UUID] = mapped_column(primary_key=True, default=WHOLE_NODE)
    right: Mapped[Small]
